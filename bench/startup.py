"""CPU time of starting the command, beside the interpreter's own and against the limit of 0.15 s.

Prints one line a command: CPU seconds (best of several, user and system, children included), the
ratio to the limit, and the multiple of `python -c pass`. Exit code 1 when the limit is missed.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Final

LIMIT: Final = 0.15
TRIES: Final = 15
COMMANDS: Final = {
    "python -c pass": ["-c", "pass"],
    "harness --help": ["-m", "harness", "--help"],
    "harness plugins list": ["-m", "harness", "plugins", "list"],
}


def cpu_seconds(arguments: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    best = {name: min(cpu_seconds(arguments) for _ in range(TRIES)) for name, arguments in COMMANDS.items()}
    bare = best["python -c pass"]
    print(f"{'command':22} {'CPU s':>7} {'of limit':>9} {'x python':>9}")
    for name, seconds in best.items():
        print(f"{name:22} {seconds:7.3f} {seconds / LIMIT:9.2f} {seconds / bare:9.1f}")
    return int(max(best.values()) > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
