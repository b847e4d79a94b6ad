"""Options of the simulation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.recipe import Model
from harness.recipe.stage import Count

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class StudentOptions(Model):
    """The initial student; it is also what sim.json holds."""

    #: Ability theta, on the scale of the items' difficulty b (logits at a = 1).
    ability: float = 0.0
    #: Median length of a completion to an item at the student's own ability, in tokens.
    tokens: Positive = 64.0
    #: Lengths grow by this factor (natural log) for each unit of difficulty above the ability.
    tokens_growth: NotNegative = 0.25
    #: Standard deviation of the log of the length.
    tokens_spread: NotNegative = 0.5
    #: Longest prompt plus completion it claims to read, in tokens.
    context_length: Count = 32768


class SimTrainerOptions(Model):
    #: Ability gained for each unit of learning rate times policy gradient (one number, in logits).
    gain: Positive = 5000.0


class SimIrtOptions(Model):
    """Items: `count` subjects whose difficulty b runs evenly from `low` to `high`."""

    #: Starts the names of subjects and tasks, so that a recipe can have several of these.
    prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")] = ""
    domain: str = "simulation"
    #: `strata`: endless, a subject is a level; `tasks`: finite, a subject is one item.
    form: Literal["strata", "tasks"] = "strata"
    count: Count = 40
    low: float = -4.0
    high: float = 16.0
    #: Discrimination a of all items; 1 is the one-parameter model.
    discrimination: Positive = 1.0
    #: Standard deviation of the log of a over items; above 0 it is the two-parameter model.
    discrimination_spread: NotNegative = 0.0
    #: Standard deviation of b within a stratum.
    spread: NotNegative = 0.0
    split: Literal["train", "heldout"] = "train"
    #: Names the items' random numbers; the same in every run.
    seed: int = 0

    @model_validator(mode="after")
    def _in_order(self) -> SimIrtOptions:
        if self.low > self.high:
            raise ValueError(f"low = {self.low} must not lie above high = {self.high}")
        return self
