"""Options of rewards."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.recipe import Model


class GatedOptions(Model):
    """Options of reward `gated`: outcome * (1 + weight * share of right steps)."""

    weight: Annotated[float, Field(ge=0)] = 0.5
    """What the share of right steps is multiplied by."""
    outcome: Literal["all_pass", "fraction"] = "all_pass"
    """The number that is raised: 1 or 0, or the verdict's score from 0 to 1."""
    right: Annotated[float, Field(gt=0, le=1)] = 1.0
    """A step counts as right from this score on."""
