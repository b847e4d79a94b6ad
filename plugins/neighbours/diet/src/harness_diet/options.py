"""What the shapers can be told."""

from __future__ import annotations

from typing import Annotated, Literal

from harness.recipe import Model
from pydantic import Field


class EaseOptions(Model):
    """Where the difficulty comes from."""

    difficulty: Literal["group", "posterior", "label", "none"] = "group"
    """`group`: the share of this group's samples that pass. `posterior`: a Beta posterior per subject over
    all groups so far, this one included; it outlives stages and resumes. `label`: what `[difficulty]`
    measured of the subject; it is an error if there is none. `none`: every subject counts as easy, for
    control arms."""
    decay: Annotated[float, Field(gt=0, le=1)] = 0.9
    """What older outcomes of the posterior are multiplied by for each further group of their subject; 1
    forgets nothing."""


class DietOptions(EaseOptions):
    """How much brevity is worth beside the outcome."""

    strength: Annotated[float, Field(ge=0)] = 0.5
    """Factor of the length's advantage if every answer is right; it falls to 0 with the pass rate."""
    of: Literal["all", "right"] = "all"
    """Whose lengths count: all samples that could be judged, or right answers alone."""
    cycle: Annotated[int, Field(ge=2)] | None = None
    """Steps of one period in which the strength swings between 0 and its full value. If not set, it is
    constant."""
    epsilon: Annotated[float, Field(gt=0)] = 1e-6
    """Added to the deviation that lengths are divided by, in tokens."""


class DipoOptions(EaseOptions):
    """How much of its reward a right answer may lose."""

    strength: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the reward that the group's longest right answer loses if every answer is right; it falls
    to 0 with the pass rate."""


class TokensSavedOptions(Model):
    """What is compared."""

    heldout: str | None = None
    """Held-out set that answers are counted on. If not set, the recipe's first one."""
    margin: Annotated[float, Field(gt=0, lt=1)] = 0.02
    """Largest loss of pass rate that still counts as equal accuracy, if the interval's lower end is above
    it."""
