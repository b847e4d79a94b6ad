"""Every hook of the harness on one page.

Registration hooks run once, at start. Each is handed `register`; a plugin calls
`register("name", "module:Factory", options="module:Options", capabilities={...}, extra="torch")`
for what it offers. Targets are strings, so that listing plugins and checking a recipe import
nothing heavy. Event hooks are broadcast: payloads are read-only, an implementation may take any
subset of the arguments, and one that raises is reported while the others still run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import pluggy

if TYPE_CHECKING:
    from harness.plugins import Register
    from harness.protocols import RunInfo
    from harness.recipe import Stage
    from harness.records import Checkpoint, Difficulty, Rollout, StepMetrics, Verdict

PROJECT: Final = "harness"

#: Version of this page: (major, minor). A plugin may set `HARNESS_API = (1, 0)`: it needs this
#: major and at least this minor.
API: Final = (1, 0)

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

# Registration: what a plugin offers, by kind -----------------------------------------------------


@hookspec
def register_task_sources(register: Register) -> None:
    """Offer sources of training and held-out tasks (`TaskSource`)."""


@hookspec
def register_task_filters(register: Register) -> None:
    """Offer filters that drop or tag tasks before training (`TaskFilter`)."""


@hookspec
def register_models(register: Register) -> None:
    """Offer loaders that turn a model's name into a folder transformers can open (`ModelLoader`)."""


@hookspec
def register_benchmarks(register: Register) -> None:
    """Offer versioned benchmarks (`Benchmark`)."""


@hookspec
def register_profiles(register: Register) -> None:
    """Offer evaluation profiles: prompt, sampling, samples, limits, extraction, verifier (`Profile`)."""


@hookspec
def register_verifiers(register: Register) -> None:
    """Offer verifiers: the one judge of difficulty, reward and benchmark (`Verifier`)."""


@hookspec
def register_sandboxes(register: Register) -> None:
    """Offer places where a program that a model wrote can run (`Sandbox`)."""


@hookspec
def register_engines(register: Register) -> None:
    """Offer engines that generate completions, or wrap other engines (`Engine`)."""


@hookspec
def register_difficulty_estimators(register: Register) -> None:
    """Offer ways to measure how hard tasks are for a policy (`DifficultyEstimator`)."""


@hookspec
def register_curricula(register: Register) -> None:
    """Offer policies that choose the next tasks to train on (`Curriculum`)."""


@hookspec
def register_gates(register: Register) -> None:
    """Offer gates that decide which groups reach the loss (`Gate`)."""


@hookspec
def register_shapers(register: Register) -> None:
    """Offer shapers of a group's rewards or advantages (`Shaper`)."""


@hookspec
def register_losses(register: Register) -> None:
    """Offer per-token loss terms (`LossTerm`)."""


@hookspec
def register_metrics(register: Register) -> None:
    """Offer metrics over a benchmark's scored samples (`Metric`)."""


@hookspec
def register_trainers(register: Register) -> None:
    """Offer trainer backends (`Trainer`)."""


@hookspec
def register_reporters(register: Register) -> None:
    """Offer reporters that turn a finished run into files or messages (`Reporter`)."""


@hookspec
def register_commands(register: Register) -> None:
    """Offer subcommands of the `harness` command (a `click.Command`)."""


# Events: what happened, read-only ----------------------------------------------------------------


@hookspec
def run_started(run: RunInfo) -> None:
    """A run began or was resumed."""


@hookspec
def difficulty_measured(run: RunInfo, stage: str, labels: Sequence[Difficulty]) -> None:
    """The initial policy, or the policy before `stage`, was measured."""


@hookspec
def stage_started(run: RunInfo, stage: Stage) -> None:
    """A stage's subjects were selected and its trainer is about to start."""


@hookspec
def step_finished(run: RunInfo, metrics: StepMetrics) -> None:
    """A training step is in the ledger."""


@hookspec
def evaluation_finished(run: RunInfo, name: str, scores: Mapping[str, float]) -> None:
    """An evaluation is in the ledger; `name` says where in the run it stands."""


@hookspec
def checkpoint_saved(run: RunInfo, checkpoint: Checkpoint) -> None:
    """A checkpoint is durable on disk."""


@hookspec
def stage_finished(run: RunInfo, stage: Stage, reason: str, checkpoint: Checkpoint) -> None:
    """A stage ended; `reason` is its exit rule in words."""


@hookspec
def run_finished(run: RunInfo, checkpoint: Checkpoint) -> None:
    """All stages and evaluations of a run are done."""


@hookspec
def sample_failed(run: RunInfo, rollout: Rollout, verdict: Verdict) -> None:
    """A sample could not be judged (`infra_error`) or generated (`abort`)."""
