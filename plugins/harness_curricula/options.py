"""Options of curricula, gates and shapers, apart from their code so that checking a recipe stays cheap."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.recipe import Model
from harness.recipe.stage import Count, Share


class Window(Model):
    """Which measured difficulties count, by the posterior mean of the pass rate.

    The posterior mean of a subject with few samples lies near one half: it stays in until it is
    known to be too easy or too hard. The stage's own `select` rule has been applied before.
    """

    low: Share = 0.0
    high: Share = 1.0

    @model_validator(mode="after")
    def _in_order(self) -> Window:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must lie below high = {self.high}")
        return self


class StagedOptions(Window):
    #: `together` draws from the whole window alike; `easy-first` opens it from the easy end over
    #: `pace_steps` steps, beginning with the easiest `start_share` of the subjects.
    order: Literal["together", "easy-first"] = "together"
    pace_steps: Count = 100
    start_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    #: Steps in each of the two windows that are compared for a plateau; 0 never looks for one.
    plateau_window: Annotated[int, Field(ge=0)] = 20
    #: A plateau is a gain from one window to the next below this many of its standard errors.
    plateau_errors: Annotated[float, Field(ge=0)] = 1.0
    #: Mastered at this training pass rate, averaged over `mastery_window` steps; a window of 0 is never.
    mastery: Annotated[float, Field(gt=0, le=1)] = 0.95
    mastery_window: Annotated[int, Field(ge=0)] = 10


class FrozenFilterOptions(Window):
    pass


class LearnabilityOptions(Model):
    #: Share of the evidence that survives each step: the policy changes, and so old outcomes fade.
    decay: Annotated[float, Field(gt=0, le=1)] = 0.97
    #: What a pass rate p is worth: its variance `p(1-p)`, or the chance that a group of `group_size`
    #: has mixed outcomes, `1 - p^G - (1-p)^G`.
    utility: Literal["variance", "mixed"] = "variance"
    group_size: Annotated[int, Field(ge=2)] = 8
    #: Draw pass rates from the posterior (Thompson 1933), or take its mean.
    explore: Literal["thompson", "mean"] = "thompson"
    #: Added to every weight, so that no subject is forgotten.
    floor: Annotated[float, Field(ge=0)] = 0.0


class MixedOutcomesOptions(Model):
    #: How often a step may draw again for groups that were discarded, before it gives up.
    max_refills: Annotated[int, Field(ge=0)] = 10


class LengthPenaltyOptions(Model):
    #: The most that a right answer can lose, as a share of its reward; below 1, so that the longest
    #: right answer still beats a wrong one.
    strength: Annotated[float, Field(ge=0, lt=1)] = 0.2
