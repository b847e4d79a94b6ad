"""Options of the estimators, apart from their code so that checking a recipe stays cheap."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from harness.recipe import Count, LabelsOf, Model, Share


class PassRateOptions(Model):
    """How many rollouts a label costs, and when a measurement stops early.

    A label costs at most `tasks * samples` rollouts. For a stratum of an endless source these are
    `tasks` fresh tasks with `samples` rollouts each; for a task of a finite source leave `tasks` at 1.
    """

    tasks: Count = 1
    """Fresh tasks per stratum of an endless source. Leave it at 1 for a finite source."""
    samples: Count = 8
    """Rollouts per task."""
    sequential: bool = True
    """Whether a measurement stops as soon as the posterior has decided. False always spends `tasks *
    samples` rollouts."""
    low: Share = 0.05
    """Lower end of the window of pass rates. A measurement decides whether a subject lies in the window or
    not. Below `high`."""
    high: Share = 0.9
    """Upper end of the window of pass rates."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.8
    """Posterior probability, of lying in the window or of lying outside, at which a measurement stops. On a
    pool of 40 mostly hopeless strata, 0.8 costs half of what 16 tasks of 4 rollouts cost, at 0.7 wrong
    decisions instead of 0.4; 0.95 costs nearly all of it."""
    min_samples: Count | None = None
    """Rollouts before any decision. If not set, a quarter of the most."""
    max_samples: Count | None = None
    """Most rollouts per label. If not set, `tasks * samples`."""

    @model_validator(mode="after")
    def _in_order(self) -> PassRateOptions:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must lie below high = {self.high}")
        if self.min_samples is not None and self.min_samples > self.most:
            raise ValueError(
                f"min_samples = {self.min_samples} is above the most rollouts per label, {self.most}"
            )
        return self

    @property
    def most(self) -> int:
        """Most rollouts per label."""
        return self.max_samples or self.tasks * self.samples

    @property
    def round(self) -> int:
        """Rollouts between two looks at the posterior: whole tasks, about a quarter of the most."""
        whole = max(1, round(self.most / 4 / self.samples)) * self.samples
        return min(self.most, max(whole, self.min_samples or 0))


Error = Annotated[float, Field(ge=0, lt=0.5)]


class PosteriorOptions(PassRateOptions):
    """What the estimator `posterior` knows besides the outcomes of a measurement. Rules read its mean as
    `extra("rate")` and its standard deviation as `extra("rate_sd")`; `p` stays the observed rate."""

    drift: Share = 0.0
    """Share of the evidence of earlier measurements that is kept each time a subject is measured under
    another policy. 0 forgets them at once, 1 holds the pass rate for constant."""
    false_pass: Error = 0.0
    """Rate fp at which the verifier passes wrong answers."""
    false_fail: Error = 0.0
    """Rate fn at which the verifier fails right answers."""
    prior: LabelsOf = ""
    """Model of `difficulty.labels` whose published pass rates are the prior. Empty takes the uniform one."""
    prior_samples: Annotated[float, Field(gt=0)] = 4.0
    """Samples that a published rate is worth. Measurements overrule it as they exceed this."""


class Irt2plOptions(Model):
    """Which scale the policy is placed on, and when that is enough."""

    scale: str = ""
    """File of a scale (`harness irt fit`), relative to the recipe. If not set, it is
    fitted to `difficulty.labels` of the recipe if those are of two models or more; without labels each
    subject is measured by itself."""
    se: Annotated[float, Field(gt=0)] = 0.3
    """Standard error of the policy's ability at which a measurement ends, on the scale on which the fitted
    configurations have standard deviation 1."""
    per_round: Annotated[int, Field(ge=1)] = 4
    """Items asked per round. More take fewer rounds and choose the later ones with less knowledge."""
    spread: Share = 0.03
    """Share of the scale's items, the most informative ones, among which the next are drawn. 0 always takes
    the most informative; then those whose discrimination is overestimated come first, and the error is
    understated."""
    samples: Annotated[int, Field(ge=1)] = 1
    """Rollouts of an item when it is asked."""
    most: Annotated[int, Field(ge=1)] | None = None
    """Most rollouts of an item; on a scale of few items, such as strata, give more than one. Without a scale:
    the rollouts of every subject. If not set, 1 on a scale and 8 without."""
    max_items: Annotated[int, Field(ge=1)] | None = None
    """Most items asked. If not set, all that are on the scale."""


class PclOptions(Model):
    """How many subjects teach the estimator `pcl` what to predict of the others. Rules read the rate as
    `extra("rate")` and its standard error as `extra("rate_sd")`."""

    subjects: Count = 128
    """Subjects of which outcomes are wanted. A measurement samples as many as training has told nothing of
    (`difficulty.reuse`), chosen at random; 1 takes what training has told, if it has told anything."""
    samples: Count = 8
    """Rollouts of a subject that is sampled."""
    memory: Share = 0.5
    """Share of what earlier measurements taught that is kept at the next one, because the policy has
    changed."""
