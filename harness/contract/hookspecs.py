"""Every hook of the harness on one page.

Registration hooks run once, at start. Each is handed `register`; a plugin calls
`register("name", "module:Factory", options="module:Options", capabilities={...}, extra="torch")`
for what it offers. Targets are strings, so that listing plugins and checking a recipe import
nothing heavy. Event hooks are broadcast: payloads are read-only, an implementation may take any
subset of the arguments, and one that raises is reported while the others still run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import pluggy

from harness.contract.kinds import KINDS, Kind

if TYPE_CHECKING:
    from harness.contract.protocols import RunInfo
    from harness.contract.records import Checkpoint, Difficulty, Rollout, StepMetrics, Verdict
    from harness.plugging.plugins import Register
    from harness.recipe import Stage

PROJECT: Final = "harness"

#: Version of this page: (major, minor). A plugin may set `HARNESS_API = (2, 0)`: it needs this
#: major and at least this minor.
API: Final = (2, 2)

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

# Registration: what a plugin offers, a hook per row of `harness.contract.kinds` -------------------


def _registration(row: Kind) -> Callable[[Register], None]:
    """The hook through which plugins offer what is of one kind."""

    def hook(register: Register) -> None: ...

    hook.__name__ = hook.__qualname__ = row.hook
    hook.__doc__ = f"{row.summary} (`{row.protocol.replace(':', '.')}`)."
    return hookspec(hook)


globals().update({row.hook: _registration(row) for row in KINDS.values()})

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
def evaluation_finished(run: RunInfo, name: str, scores: Mapping[str, float], stage: str, step: int) -> None:
    """An evaluation is in the ledger; `name` says where in the run it stands.

    That is `before` all stages, `inside` a stage, `after-stage` or `final`; `step` counts within `stage`. A
    benchmark outside of a run has neither (`""` and 0).

    A held-out set that lost samples has no score, so it is not among `scores`.
    """


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
