"""Options of the curricula that size groups, apart from their code so that checking a recipe stays cheap."""

from __future__ import annotations

from typing import Annotated, Literal

from harness_curricula.options import LearnabilityOptions, Online, Sized
from pydantic import Field, model_validator

from harness.recipe import Count, Model, Share

AtLeastTwo = Annotated[int, Field(ge=2)]


class SpeedOptions(Model):
    """Sizes of the two phases of the curriculum `speed`."""

    pilot: AtLeastTwo = 4
    """Samples with which a task is screened (N_init)."""
    rest: Count = 4
    """Further samples of a task whose pilot had both passes and fails (N_cont)."""


class PilotCommitOptions(Sized):
    """Which pilots the curriculum `pilot-commit` goes on with."""

    pilot: AtLeastTwo = 4
    """Samples of a pilot (P)."""
    group_size: AtLeastTwo | None = None
    """Samples of a task that is committed to (N), its pilot included. Above `pilot`. By default the stage's
    `rollout.n`."""
    low: Share = 0.125
    """Least pass rate of a pilot that is committed to. Below `high`."""
    high: Share = 0.75
    """Highest pass rate of a pilot that is committed to."""
    most: Annotated[int, Field(ge=0)] = 0
    """Most tasks that a step commits to, those of highest variance first. 0 commits to all in the window."""
    exclude_after: Annotated[int, Field(ge=0)] = 1
    """A task whose pilots all passed so many times in a row is left out from then on, as long as others fill
    the step. 0 leaves none out. Strata are never left out."""

    @model_validator(mode="after")
    def _in_order(self) -> PilotCommitOptions:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must lie below high = {self.high}")
        return self

    def fault(self, size: int) -> str:
        return "" if self.pilot < size else f"pilot = {self.pilot} must lie below the group size, {size}"


class KnapsackOptions(Online, Sized):
    """What the curriculum `knapsack` shares out."""

    group_size: AtLeastTwo | None = None
    """Mean samples per task: a step shares out `batch` times this many. Tasks that were never tried get
    exactly this. By default the stage's `rollout.n`."""
    least: AtLeastTwo = 2
    """Fewest samples of a task. At most `group_size`."""
    most: AtLeastTwo = 64
    """Most samples of a task. At least `group_size`."""
    decay: Annotated[float, Field(gt=0, le=1)] = 0.97
    """Share of the evidence about a subject that is kept per training step."""

    def fault(self, size: int) -> str:
        if self.least <= size <= self.most:
            return ""
        return f"least = {self.least}, the group size {size} and most = {self.most} must rise"


class ReinforceAdaOptions(Sized):
    """When the curriculum `reinforce-ada` stops asking for a task."""

    round: AtLeastTwo = 4
    """Samples of a task per round."""
    rounds: Count = 4
    """Most rounds per task."""
    until: Literal["balanced", "positive"] = "balanced"
    """What ends a task's rounds. `balanced`: half of `group_size` passes and as many fails. `positive`: one
    pass."""
    group_size: AtLeastTwo | None = None
    """Group size n that `balanced` is about. By default the stage's `rollout.n`."""


class DarsOptions(Model):
    """How many further samples the curriculum `dars` gives to hard tasks."""

    schedule: Literal["equal", "hardness"] = "equal"
    """Which cumulative advantage A* a task of pass rate p should have, with G samples so far. `equal`: G/2,
    that of p = 1/2. `hardness`: 2 (1 - p) G/2, the more the harder."""
    most: Count = 32
    """Most further samples of a task."""
    below: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Only tasks with a lower pass rate in their first samples get more."""


class HoraOptions(Sized):
    """What the curriculum `hora` shares out."""

    pilot: Count = 4
    """Samples of every task before the rest is shared out. At most `group_size`."""
    group_size: AtLeastTwo | None = None
    """Mean samples per task. By default the stage's `rollout.n`."""
    most: AtLeastTwo = 64
    """Most samples of a task. At least `group_size`."""

    def fault(self, size: int) -> str:
        if self.pilot <= size <= self.most:
            return ""
        return f"pilot = {self.pilot}, the group size {size} and most = {self.most} must rise"


class LearnabilityPilotOptions(LearnabilityOptions):
    """Where the curriculum `learnability-pilot` begins with fewer samples. `group_size` is that of full
    groups."""

    pilot: AtLeastTwo = 3
    """Samples of a pilot. Below `group_size`."""
    hopeless: Share = 0.02
    """A subject with a lower posterior mean of the pass rate gets a pilot first. 0 switches this off."""
    mastered: Share = 0.98
    """A subject with a higher posterior mean of the pass rate gets a pilot first. 1 switches this off."""

    def fault(self, size: int) -> str:
        return "" if self.pilot < size else f"pilot = {self.pilot} must lie below the group size, {size}"
