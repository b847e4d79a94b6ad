"""Executions a second of each sandbox kind against bare interpreters, in one interleaved run.

    python bench/sandbox.py                       throughput ratios of the kinds that this host has
    python bench/sandbox.py --mix 10000           a mix of harmless and hostile jobs

Rounds alternate between the kinds, so that other work on the machine weighs on all alike; the ratios
are of medians over rounds. A bare execution is `python -I -S program.py` with its input on stdin.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness_code import corpus, mix
from harness_sandbox import assets
from harness_sandbox.build import build_sandbox
from harness_sandbox.canary import survivors, uid_ranges

from harness.contract.errors import HarnessError
from harness.contract.programs import Job

PROGRAM = "a, b = map(int, input().split())\nprint(a + b)\n"
#: The interpreter itself, not a virtual environment's way to it.
PYTHON = os.path.realpath(sys.executable)
WIDTH = len(os.sched_getaffinity(0))
#: kind: (jobs a round, what its rate is compared with, target ratio)
KINDS = {
    "docker": (150, "bare", 0.6),
    "namespaces": (150, "bare", 0.9),
    "bubblewrap": (20, "bare", None),
    "docker-run": (8, "docker", None),
}


async def bare(jobs: int) -> float:
    """Executions a second of fresh interpreters."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.py"
        path.write_text(PROGRAM)

        def one(_: int) -> None:
            done = subprocess.run(
                [PYTHON, "-I", "-S", str(path)], input=b"3 4\n", capture_output=True, check=True
            )
            assert done.stdout == b"7\n"

        started = time.perf_counter()
        with ThreadPoolExecutor(WIDTH) as threads:
            list(threads.map(one, range(jobs)))
        return jobs / (time.perf_counter() - started)


def of_sandbox(sandbox: object) -> Callable[[int], Awaitable[float]]:
    """Executions a second of a sandbox."""

    async def measure(jobs: int) -> float:
        job = Job(PROGRAM, b"3 4\n", memory_mb=256)
        started = time.perf_counter()
        raws = await asyncio.gather(*[sandbox.run(job) for _ in range(jobs)])  # type: ignore[attr-defined]
        assert all(raw.stdout == b"7\n" for raw in raws), {raw.status: raw.reason for raw in raws}
        return jobs / (time.perf_counter() - started)

    return measure


async def throughput(rounds: int) -> bool:
    measures: dict[str, tuple[int, Callable[[int], Awaitable[float]]]] = {"bare": (100, bare)}
    sandboxes = []
    for kind, (jobs, _, _) in KINDS.items():
        try:
            sandboxes.append(build_sandbox(kind, {"slots": WIDTH, "memory_mb": 512}))
        except HarnessError as error:
            print(f"{kind:12} not here: {error}", file=sys.stderr)
            continue
        measures[kind] = jobs, of_sandbox(sandboxes[-1])
    rates: dict[str, list[float]] = {kind: [] for kind in measures}
    for _, measure in measures.values():
        await measure(2 * WIDTH)
    for _ in range(rounds):
        for kind, (jobs, measure) in measures.items():
            rates[kind].append(await measure(jobs))
    for sandbox in sandboxes:
        sandbox.close()
    medians = {kind: statistics.median(measured) for kind, measured in rates.items()}
    met = True
    for kind, rate in medians.items():
        line = f"{kind:12} {rate:8.1f} /s"
        if kind != "bare":
            line += f"   {rate / medians['bare']:.2f} of bare"
            target = KINDS[kind][2]
            if target is not None:
                met &= rate / medians["bare"] >= target
                line += f" (at least {target})"
        print(line)
    if {"docker", "docker-run"} <= medians.keys():
        ratio = medians["docker"] / medians["docker-run"]
        met &= ratio >= 15
        print(f"docker / docker-run: {ratio:.1f} (at least 15)")
    return met


async def mixed(count: int, kind: str) -> bool:
    """Judge a mix; whether every verdict was right and nothing was left."""
    hostile = [program for program in corpus.load(assets.folder("canaries")) if "pass" not in program.right]
    sandbox = build_sandbox(kind, {"slots": WIDTH, "memory_mb": 512, "queue": 64})
    await mix.run(mix.programs(100, hostile, share=0.0, seed=1), sandbox)
    before, started = _rss_mb(), time.perf_counter()
    tally = await mix.run(mix.programs(count, hostile, seed=2), sandbox)
    spent, grown = time.perf_counter() - started, _rss_mb() - before
    ranges = uid_ranges(sandbox)
    sandbox.close()
    alive = survivors(ranges, patience=5)
    print(f"{sandbox.kind}: {count} jobs in {spent:.0f} s ({count / spent:.0f} /s), {dict(tally.verdicts)}")
    print(
        f"wrong verdicts {len(tally.wrong)}, survivors {len(alive)}, memory {grown:+.1f} MiB, {sandbox.stats}"
    )
    for name, verdict, evidence in tally.wrong[:20]:
        print(f"  {name}: {verdict}: {evidence}")
    return not tally.wrong and not alive and grown < 50


def _rss_mb() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mix", type=int, metavar="JOBS", help="instead, judge so many mixed jobs")
    parser.add_argument("--kind", default="auto", help="the kind of --mix")
    arguments = parser.parse_args()
    if arguments.mix:
        return 0 if asyncio.run(mixed(arguments.mix, arguments.kind)) else 1
    return 0 if asyncio.run(throughput(arguments.rounds)) else 1


if __name__ == "__main__":
    sys.exit(main())
