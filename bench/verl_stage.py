"""What of a real stage under the trainer `verl` is the harness's: SmolLM2-135M, verl itself, on this machine.

    python bench/verl_stage.py [--steps 8] [--python INTERPRETER]

Runs one stage and goes on until the next stage's job would start. Ours is all the wall clock in which neither
verl starts nor the driver waits for it: from the recipe to the job's start (imports, the hash of the weights,
tasks, verifiers: mostly once per run), between its answers (drawing, rendering, judging, the ledger, taking
over a checkpoint of a real size), from its end to the next stage's job. That is an upper bound: verl goes on
generating while the driver judges. Prints the parts, the sum, and its ratio to the limit of 3 s and 2 % of
the stage. Exit code 1 when it is missed.

Needs the extras gguf, gym and math, and an environment with verl (`scripts/heavy-env verl-cpu`).
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from harness_verl.job import RayJob  # noqa: E402

from harness.plugging.plugins import load  # noqa: E402
from harness.testing.workbench import Workbench  # noqa: E402
from harness.training.session import StageSession  # noqa: E402
from tests.support.heavy import environment_python, smollm2  # noqa: E402

SECONDS: Final = 3.0
SHARE: Final = 0.02


class NextStage(Exception):
    """The next stage's job is about to start: what is measured is over."""


class Clock:
    """When a stage's job starts and ends, and how long verl starts and the driver waits for it."""

    def __init__(self) -> None:
        self.theirs = 0.0
        #: Of the rest, what waiting for verdicts and what checkpoints took.
        self.judged = self.saved = 0.0
        self.started: list[float] = []
        self.ended: list[float] = []
        self._open = False

    def watch(self) -> None:
        """Measure every job from now on."""
        init, start, wait, finish, close = (
            RayJob.__init__,
            RayJob.start,
            RayJob._wait,
            RayJob.finish,
            RayJob.close,
        )

        def spawn(job: RayJob, *arguments: Any) -> None:
            self.started.append(monotonic())
            if len(self.started) > 1:
                raise NextStage
            init(job, *arguments)

        def opened(job: RayJob) -> Any:
            # What the driver does meanwhile keeps nobody waiting, up to verl's first word.
            late = not job.hub.results.empty()
            result = start(job)
            self.theirs += (job.hub.heard if late else monotonic()) - self.started[-1]
            self._open = True
            return result

        def ended(job: RayJob, **options: Any) -> None:
            close(job, **options)
            self.ended.append(monotonic())

        def saved(session: StageSession, write: Any) -> Any:
            began, theirs = monotonic(), self.theirs
            try:
                return save(session, write)
            finally:
                self.saved += monotonic() - began - (self.theirs - theirs)

        def judged(session: StageSession, rollouts: Any) -> Any:
            began = monotonic()
            try:
                return submit(session, rollouts)
            finally:
                self.judged += monotonic() - began

        save, submit = StageSession.save, StageSession.submit
        StageSession.save, StageSession.submit = saved, judged
        RayJob.__init__, RayJob.start, RayJob.close = spawn, opened, ended
        RayJob._wait, RayJob.finish = self._timed(wait), self._timed(finish)

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            began = monotonic()
            try:
                return method(*arguments, **options)
            finally:
                if self._open:
                    self.theirs += monotonic() - began

        return timed


def recipe(model: str, steps: int) -> dict[str, Any]:
    """Sums of two numbers, judged by the verifier `math`; the second stage only begins."""
    levels = {"easy": {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 2}}
    sums = {"name": "reasoning-gym", "dataset": "chain_sum", "verifier": "math", "strata": levels}
    stage = {
        "rollout": {"n": 8, "batch": 8, "max_tokens": 32},
        "optimizer": {"lr": 1e-5},
        "max_steps": steps,
    }
    return {
        "name": "verl-stage",
        "model": {"name": model, "context_length": 256},
        "verifier": {"name": "math", "thinking": "none", "extraction": "any"},
        "trainer": {"name": "verl"},
        "tasks": {"train": [sums]},
        "resources": {"device": "cpu", "precision": "bf16"},
        "checkpoints": {"min_free_gb": 0.1},
        "report": {"reporters": []},
        "stages": [{"name": name, **stage} for name in ("one", "two")],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--python", help="interpreter of verl's environment")
    options = parser.parse_args()
    os.environ["HARNESS_VERL_PYTHON"] = options.python or environment_python("verl-cpu")
    model = str(smollm2().path)
    clock = Clock()
    clock.watch()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HARNESS_CACHE"] = str(Path(folder) / "cache")
        bench = Workbench(Path(folder), load())
        began = monotonic()
        try:
            bench.run(recipe(model, options.steps))
        except NextStage:
            pass
        else:
            raise SystemExit("the second stage's job was not started")
    (first, following), (end,) = clock.started, clock.ended
    before, after, within = first - began, following - end, end - first - clock.theirs
    whole, ours = following - began, before + within + after
    limit = SECONDS + SHARE * whole
    print(f"{options.steps} steps of SmolLM2-135M, {whole:.1f} s from recipe to next stage; ours of it:")
    print(f"  from the recipe to the job's start   {before:6.2f} s")
    steps = within - clock.saved - clock.judged
    print(f"  {options.steps} steps: drawing, rendering, ledger   {steps:6.2f} s")
    print(
        f"  waiting for verdicts                 {clock.judged:6.2f} s, while verl generates the next groups"
    )
    print(f"  a checkpoint: its hash, its sync     {clock.saved:6.2f} s")
    print(f"  from its end to the next stage's job {after:6.2f} s")
    share = f"{ours / whole:.1%} of the stage"
    print(f"  in all {ours:.2f} s, {share} (limit {limit:.2f} s, {ours / limit:.2f} of it)")
    return int(ours > limit)


if __name__ == "__main__":
    sys.exit(main())
