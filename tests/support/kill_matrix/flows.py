"""What is killed and resumed: a study, and an evaluation of a served model."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from harness.recording import ledger
from harness.support import process
from tests.support import recipes
from tests.support.evaluations import LEDGER
from tests.support.kill_matrix.place import PATIENCE, PROBLEMS, BrokenPromise, Place, names, until, words_of
from tests.support.kill_matrix.services import Service
from tests.support.runs import first_difference, numbers

#: Samples of each problem.
SAMPLES: Final = 8

RECIPES: Final = {
    name: text.replace("seeds = [0]\n", "").replace("\n[model]", "\nseeds = [0, 1]\n[model]", 1)
    for name, text in (("sim", recipes.SIM), ("torch", recipes.TORCH), ("trl", recipes.TRL))
}


class Resumed:
    """A command that makes a folder, and goes on with it by `--resume`."""

    verb = ""

    def __init__(self, place: Place, name: str, arguments: Sequence[str]) -> None:
        self._place, self._name, self._arguments = place, name, arguments
        self.rounds: int = 0
        #: Bytes of the unbroken one's ledgers.
        self.length: int = 0
        #: Whether something was killed that it may end for, since it was started.
        self.hurt = False
        #: Kills by part: in this round, and in rounds that ended as the unbroken one.
        self.kills: Counter[str] = Counter()
        self.same: Counter[str] = Counter()
        self._process: subprocess.Popen[str] | None = None

    @property
    def folder(self) -> Path:
        """This round's folder."""
        return self._place.runs / f"{self._name}-{self.rounds}"

    @property
    def pid(self) -> int | None:
        """The command's process, while a round is under way."""
        return None if self._process is None else self._process.pid

    @property
    def ledgers(self) -> list[Path]:
        return sorted(self.folder.glob("*/*/ledger.jsonl"))

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.ledgers)

    def begin(self) -> None:
        if self._process is None:
            self.rounds += 1
            self._start(*self._arguments)

    def tend(self) -> bool:
        if self._process is None or self._process.poll() is None:
            return self._process is not None
        code = self._process.returncode
        self.settle()
        if code == 0:
            self._process = None
            self.compare()
            self.same += self.kills
            self.kills.clear()
            return False
        if not self.hurt:
            raise BrokenPromise(f"harness {self.verb} ended with {code} of itself: {self._place.tail()}")
        assert self.size(), "a part is killed when a ledger has grown, not before"
        self._start("--resume", str(self.folder))
        return True

    def whole(self) -> Path:
        """Run a round without any kill, which the others are compared with."""
        self.begin()
        assert self._process is not None
        self._place.finish(self._process, f"harness {self.verb}")
        self._process = None
        self.length = self.size()
        return self.folder

    def hit(self, part: str, *, ends: bool = True) -> None:
        """Something of it was killed, for which it may have to be started again."""
        self.kills[part] += 1
        self.hurt = self.hurt or ends

    def scorers(self) -> list[int]:
        """The processes that have scoring workers."""
        return [] if self.pid is None else [self.pid]

    def workers(self) -> list[int]:
        """Its scoring workers: children of a fork server, whose command line they have."""
        place, scorers = self._place, set(self.scorers())
        forked = {pid: known.parent for pid in place.processes() if (known := process(pid))
                  and any("fork_server" in word for word in words_of(pid))}  # fmt: skip
        return [pid for pid, server in forked.items() if forked.get(server) in scorers]

    def settle(self) -> None:
        """Wait for what belongs to a process that has ended."""

    def compare(self) -> None:
        """Raise BrokenPromise if this round is not what the unbroken one is."""

    def _start(self, *words: str) -> None:
        self.hurt = False
        self._process = self._place.harness(self.verb, *words)


class Study(Resumed):
    """`harness run`: a driver, an arm for each seed, and their scoring workers."""

    verb = "run"

    def __init__(self, place: Place, trainer: str) -> None:
        recipe = recipes.write(place.folder, RECIPES[trainer], f"{trainer}.toml")
        super().__init__(place, f"small-{trainer}", [str(recipe)])
        self._expected = self._found(self.whole())

    def arms(self) -> list[int]:
        return self._place.processes("harness", "run-arm")

    def scorers(self) -> list[int]:
        return self.arms()

    def settle(self) -> None:
        until(lambda: not self.arms(), "the arms end with their driver")

    def compare(self) -> None:
        if different := first_difference(self._found(self.folder), self._expected):
            raise BrokenPromise(f"{self.folder} is not what the unbroken study is: {different}")

    @staticmethod
    def _found(folder: Path) -> dict[str, Any]:
        runs = [path.parent for path in sorted(folder.glob("*/*/ledger.jsonl"))]
        return {str(run.relative_to(folder)): numbers(run) for run in runs} | {"files": names(folder)}


class Evaluation(Resumed):
    """`harness eval` of a served model on code, judged on a sandbox host, and on sums, judged by workers."""

    verb = "eval"

    def __init__(self, place: Place, server: Service, host: Service) -> None:
        options = [
            "--profile", "greedy-smoke", "--override", "sampling.temperature=1.0", "--samples", str(SAMPLES),
            "--engine", "openai", "--set", f'servers=["{server.url}/v1"]', "--set", "attempts=100",
            "--set", "health_every=5", "--set", "backoff=0.05", "--set", "concurrency=4",
        ]  # fmt: skip
        arguments = ["tiny", "-b", ",".join(write_benchmarks(place.folder, host.url)), *options]
        super().__init__(place, "tiny-greedy-smoke", arguments)
        self._expected = self._found(self.whole())

    def compare(self) -> None:
        if different := first_difference(self._found(self.folder), self._expected):
            raise BrokenPromise(f"{self.folder} is not what the unbroken evaluation is: {different}")

    @staticmethod
    def _found(folder: Path) -> dict[str, Any]:
        outcome: dict[str, Any] = {"files": names(folder)}
        for line in ledger.read(folder / LEDGER):
            if line["t"] == "sample":
                rollout, verdict = line["rollout"], line["verdict"]
                name = f"{rollout['key']['task']}/{rollout['key']['sample']}"
                # What could not be judged is judged once more; nothing is asked twice.
                if outcome.get(name, {}).get("status", "infra_error") != "infra_error":
                    raise BrokenPromise(f"{folder}: sample {name} is there twice")
                judged = {key: verdict.get(key) for key in ("status", "score", "tests_run", "extracted")}
                outcome[name] = {"text": rollout["text"], "finish": rollout["finish"], **judged}
            elif line["t"] == "evaluation":
                scores = {name: value for name, value in line["scores"].items() if "seconds" not in name}
                outcome[f"scores of {line['heldout']}"] = scores
        return outcome


def write_benchmarks(folder: Path, host: str) -> list[str]:
    """Programs that add numbers, and sums whose answers are 0 to 11; returns the names of their files."""
    rows = [
        {
            "id": f"sum-{n}", "problem": f"Read two numbers, the first of them {n}, and print their sum.",
            "answer": {
                "kind": "stdio",
                "tests": [{"input": f"{n} {k}\n", "output": f"{n + k}\n"} for k in range(n % 3 + 1)],
                "limits": {"memory_mb": 256, "wall_seconds": 60},
            },
        }
        for n in range(PROBLEMS)
    ]  # fmt: skip
    (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    rows = [{"id": f"term-{n}", "problem": f"{n - 1} + 1?", "answer": str(n)} for n in range(PROBLEMS)]
    (folder / "terms.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    sandbox = f'{{ name = "remote", servers = ["{host}"], attempts = 100, patience = {PATIENCE} }}'
    (folder / "sums.toml").write_text(
        f'path = "sums.jsonl"\ndomain = "code"\nverifier = {{ name = "code", sandbox = {sandbox} }}\n'
    )
    return ["sums.toml", "terms.jsonl"]
