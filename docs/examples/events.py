"""Writes down what happens in a run, one line per event."""

from collections.abc import Mapping, Sequence

from harness import hookimpl
from harness.contract import Checkpoint, Difficulty, Rollout, RunInfo, StepMetrics, Verdict
from harness.recipe import Stage


def note(run: RunInfo, text: str) -> None:
    with (run.folder / "events.txt").open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


@hookimpl
def run_started(run: RunInfo) -> None:
    note(run, f"{run.recipe}, arm {run.arm}, seed {run.seed}")


@hookimpl
def difficulty_measured(run: RunInfo, stage: str, labels: Sequence[Difficulty]) -> None:
    note(run, f"{len(labels)} labels before {stage}")


@hookimpl
def stage_started(run: RunInfo, stage: Stage) -> None:
    note(run, f"{stage.name} starts")


@hookimpl
def step_finished(run: RunInfo, metrics: StepMetrics) -> None:
    note(run, f"step {metrics.step}: {metrics.pass_rate:.2f}")


@hookimpl
def evaluation_finished(run: RunInfo, name: str, scores: Mapping[str, float], stage: str, step: int) -> None:
    note(run, f"evaluation {name} at step {step} of {stage or 'no stage'}: {dict(scores)}")


@hookimpl
def checkpoint_saved(run: RunInfo, checkpoint: Checkpoint) -> None:
    note(run, f"checkpoint {checkpoint.path}")


@hookimpl
def stage_finished(run: RunInfo, stage: Stage, reason: str) -> None:
    # Any subset of a hook's arguments will do.
    note(run, f"{stage.name} ends: {reason}")


@hookimpl
def run_finished(run: RunInfo) -> None:
    note(run, "done")


@hookimpl
def sample_failed(run: RunInfo, rollout: Rollout, verdict: Verdict) -> None:
    note(run, f"{rollout.key.task}: {verdict.reason or rollout.reason}")
