"""What of a real stage under the trainer `verl` is the harness's, and what the next one costs: SmolLM2-135M,
verl itself, on this machine.

    python bench/verl_stage.py [--steps 8] [--python INTERPRETER]

Runs one stage and goes on until the job has taken the next one over, which samples, learns and measures
differently. Ours is all the wall clock in which neither verl starts nor the driver waits for it: from the
recipe to the job's start (imports, the hash of the weights, tasks, verifiers: mostly once per run), between
its answers (drawing, rendering, judging, the ledger, taking over a checkpoint of a real size), from the
stage's end to the next one's command. That is an upper bound: verl goes on generating while the driver
judges. Prints the parts, the sum, and its ratio to the limit of 3 s and 2 % of the stage; then the change
from a checkpoint to the next stage's first command, its ratio to the limit of 5 s, and to the start of a
job. Exit code 1 when a limit is missed.

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
from harness_verl.standing import StandingJob  # noqa: E402

from harness.contract import Policy  # noqa: E402
from harness.plugging.plugins import load  # noqa: E402
from harness.testing.workbench import Workbench  # noqa: E402
from harness.training.session import StageSession  # noqa: E402
from tests.support.heavy import environment_python, smollm2  # noqa: E402

SECONDS: Final = 3.0
SHARE: Final = 0.02
CHANGE: Final = 5.0


class NextStage(Exception):
    """The job has taken the next stage over: what is measured is over."""


class Clock:
    """When a job starts and changes its stage, and how long verl starts and the driver waits for it."""

    def __init__(self) -> None:
        self.theirs = 0.0
        #: Of the rest, what waiting for verdicts and what checkpoints took.
        self.judged = self.saved = 0.0
        #: When the job started, when its first stage ended, when it was told of the next and had it.
        self.started = self.ended = self.told = self.changed = 0.0
        #: How long verl took to start.
        self.start = 0.0
        self._open = False

    def watch(self) -> None:
        """Measure every job from now on."""
        init, start, wait = RayJob.__init__, RayJob.start, RayJob._wait
        rest, take = StandingJob.rest, StandingJob.take

        def spawn(job: RayJob, *arguments: Any) -> None:
            if self.started:
                raise SystemExit("the second stage started a job of its own")
            self.started = monotonic()
            init(job, *arguments)

        def opened(job: RayJob) -> Any:
            # What the driver does meanwhile keeps nobody waiting, up to verl's first word.
            late = not job.hub.results.empty()
            result = start(job)
            self.start = (job.hub.heard if late else monotonic()) - self.started
            self.theirs += self.start
            self._open = True
            return result

        def rested(standing: StandingJob, policy: Policy) -> None:
            rest(standing, policy)
            self.ended = monotonic()

        def taken(standing: StandingJob, *arguments: Any, **options: Any) -> Any:
            self.told = monotonic()
            fixed = take(standing, *arguments, **options)
            self.changed = monotonic()
            if fixed:
                raise SystemExit(f"the job cannot take the second stage over: {fixed}")
            raise NextStage

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
        RayJob.__init__, RayJob.start, RayJob._wait = spawn, opened, self._timed(wait)
        StandingJob.rest, StandingJob.take = rested, taken

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
        "stages": [
            {"name": "one", **stage},
            {
                "name": "two",
                "rollout": {"n": 4, "batch": 4, "max_tokens": 48, "temperature": 0.8},
                "loss": {"entropy": 0.001, "clip_high": 0.3},
                "optimizer": {"lr": 5e-6, "weight_decay": 0.1},
                "max_steps": 1,
            },
        ],
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
            raise SystemExit("the second stage did not begin")
    before, after = clock.started - began, clock.told - clock.ended
    within = clock.ended - clock.started - clock.theirs
    whole, ours = clock.told - began, before + within + after
    limit = SECONDS + SHARE * whole
    print(f"{options.steps} steps of SmolLM2-135M, {whole:.1f} s from recipe to next stage; ours of it:")
    print(f"  from the recipe to the job's start   {before:6.2f} s")
    steps = within - clock.saved - clock.judged
    print(f"  {options.steps} steps: drawing, rendering, ledger   {steps:6.2f} s")
    print(
        f"  waiting for verdicts                 {clock.judged:6.2f} s, while verl generates the next groups"
    )
    print(f"  a checkpoint: its hash, its sync     {clock.saved:6.2f} s")
    print(f"  from its end to the next stage       {after:6.2f} s")
    share = f"{ours / whole:.1%} of the stage"
    print(f"  in all {ours:.2f} s, {share} (limit {limit:.2f} s, {ours / limit:.2f} of it)")
    change = clock.changed - clock.ended
    start = f"{clock.start / change:.0f} times less than the job's start, {clock.start:.1f} s"
    print(f"the next stage: {change:.2f} s from checkpoint to first command, {start}")
    print(f"  (limit {CHANGE:g} s, {change / CHANGE:.2f} of it)")
    return int(ours > limit or change > CHANGE)


if __name__ == "__main__":
    sys.exit(main())
