"""Options of curricula, gates and shapers, apart from their code so that checking a recipe stays cheap."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from harness.contract import CurriculumContext, TrainingError
from harness.recipe import Count, Model, Share


class Selected(Model):
    """Options of a curriculum that draws from what the stage's rule `select` leaves."""

    @model_validator(mode="before")
    @classmethod
    def _no_window(cls, values: Any) -> Any:
        old = [name for name in ("low", "high") if isinstance(values, dict) and name in values]
        if not old:
            return values
        low, high = values.get("low", 0.0), values.get("high", 1.0)
        raise ValueError(
            f"{' and '.join(old)}: the stage's select says which subjects it trains on; "
            f'set select = "{low} <= mean <= {high}" in the stage'
        )


class StagedOptions(Selected):
    """In which order the curriculum `staged` draws its subjects, and when the stage ends."""

    order: Literal["together", "easy-first"] = "together"
    """`together` draws from all subjects alike. `easy-first` begins with the easiest `start_share` of
    the subjects and opens the rest over `pace_steps` steps."""
    pace_steps: Count = 100
    """Training steps until all subjects are drawn from. Only with `order = "easy-first"`."""
    start_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of the subjects, the easiest ones, that the first step draws from. Only with `order =
    "easy-first"`."""
    plateau_window: Annotated[int, Field(ge=0)] = 20
    """Training steps in each of the two windows whose pass rates are compared to see a plateau, which ends
    the stage. 0 or 1 switches this off."""
    plateau_errors: Annotated[float, Field(ge=0)] = 1.0
    """The pass rate has reached a plateau if its gain from one window to the next is at most this many
    standard errors of that gain. Larger values end the stage sooner."""
    mastery: Annotated[float, Field(gt=0, le=1)] = 0.95
    """The stage ends once the training pass rate, averaged over `mastery_window` steps, reaches this."""
    mastery_window: Annotated[int, Field(ge=0)] = 10
    """Training steps over which the pass rate is averaged for `mastery`. 0 switches this off."""


class FrozenFilterOptions(Selected):
    """The curriculum `frozen-filter` has no options: the first stage's `select` picks the subjects."""


class Online(Model):
    """What all curricula with evidence by subject have."""

    neighbours: Share = 0.0
    """Share of each outcome that also counts as evidence about the two subjects beside it in the pool's
    order, such as the levels below and above a stratum. 0 keeps subjects apart; use it if the order
    means something."""


class Sized(Model):
    """What curricula have that know how large a group is."""

    group_size: Annotated[int, Field(ge=2)] | None = None
    """Samples of a group. By default the stage's `rollout.n`."""

    def fault(self, size: int) -> str:
        """Why groups cannot have so many samples under the other options; "" if they can."""
        return ""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.group_size is not None and (why := self.fault(self.group_size)):
            raise ValueError(why)
        return self

    def size(self, context: CurriculumContext) -> int:
        """The group size in a stage.

        Raises:
            TrainingError: the stage's does not go with the other options.
        """
        if self.group_size is not None:
            return self.group_size
        if why := self.fault(context.group_size):
            raise TrainingError(
                f"options of the curriculum: {why}", where=f"stages.{context.stage}",
                hint="change rollout.n, set group_size, or change the other option",
            )  # fmt: skip
        return context.group_size


class LearnabilityOptions(Online, Sized):
    """How the curriculum `learnability` weighs subjects."""

    decay: Annotated[float, Field(gt=0, le=1)] = 0.97
    """Share of the evidence about a subject that is kept per training step. Old outcomes fade because the
    policy changes; 1 keeps all of them."""
    utility: Literal["variance", "mixed"] = "variance"
    """What a subject with pass rate p is worth. `variance`: p(1-p), the variance of its reward. `mixed`: 1
    - p^G - (1-p)^G, the chance that a group of `group_size` completions has both passes and fails."""
    group_size: Annotated[int, Field(ge=2)] | None = None
    """Group size G that the utility `mixed` assumes. By default the stage's `rollout.n`."""
    explore: Literal["thompson", "mean"] = "thompson"
    """Which pass rate a step assumes. `thompson` draws it from the subject's posterior (Thompson 1933), so
    that little-known subjects are tried; `mean` takes the posterior mean."""
    floor: Annotated[float, Field(ge=0)] = 0.0
    """Added to the weight of every subject. Above 0 no subject is ever left out for good."""


class MixedOutcomesOptions(Model):
    """How long the gate `mixed-outcomes` goes on drawing groups."""

    max_refills: Annotated[int, Field(ge=0)] = 10
    """How many times a training step may draw again to replace discarded groups. After that the step goes
    on with the groups that it has; if it has none, the stage ends."""


class LengthPenaltyOptions(Model):
    """How strongly the shaper `length-penalty` favours short right answers."""

    strength: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of its reward that the longest right answer to an easy task loses. Below 1, so that it still
    beats a wrong answer; 0 switches the penalty off."""
