"""Options of the estimators, apart from their code so that checking a recipe stays cheap."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from harness.recipe import Model
from harness.recipe.stage import Count, Share


class PassRateOptions(Model):
    """How many rollouts a label costs, and when fewer are enough.

    A label costs at most `tasks * samples` rollouts. For a stratum of an endless source these are
    `tasks` fresh tasks with `samples` rollouts each; for a task of a finite source leave `tasks` at 1.
    """

    #: Fresh tasks a stratum.
    tasks: Count = 1
    #: Rollouts a task.
    samples: Count = 8
    #: Stop early where the posterior has decided; false always spends `tasks * samples`.
    sequential: bool = True
    #: The window of pass rates about which the posterior is to decide: in it, or out of it.
    low: Share = 0.05
    high: Share = 0.9
    #: Posterior probability of being in (or out of) the window at which sampling stops. At 0.8 a pool of
    #: 40 mostly hopeless strata costs half of what 16 tasks of 4 rollouts cost, for 0.7 wrong decisions
    #: instead of 0.4; at 0.95 it costs nearly all of it.
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.8
    #: Rollouts before any decision; by default a quarter of the most.
    min_samples: Count | None = None
    #: The most rollouts a label, where it should not be `tasks * samples`.
    max_samples: Count | None = None

    @model_validator(mode="after")
    def _in_order(self) -> PassRateOptions:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must lie below high = {self.high}")
        if self.min_samples is not None and self.min_samples > self.most:
            raise ValueError(f"min_samples = {self.min_samples} is above the most a label gets, {self.most}")
        return self

    @property
    def most(self) -> int:
        """The most rollouts a label."""
        return self.max_samples or self.tasks * self.samples

    @property
    def round(self) -> int:
        """Rollouts between two looks at the posterior: whole tasks, about a quarter of the most."""
        whole = max(1, round(self.most / 4 / self.samples)) * self.samples
        return min(self.most, max(whole, self.min_samples or 0))
