"""Metric `hypervolume`: how much of cost and accuracy an evaluation dominates, by the sources of its
rollouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from harness.contract import DataError, ScoredSample
from harness.recipe import Model
from pydantic import Field

from harness_radar.choosing import hypervolume


class Options(Model):
    """What a sample costs, and what is too dear."""

    cost: Literal["usd", "tokens"] = "tokens"
    """`usd`: the dollars that an engine with prices puts down (`Rollout.cost`). `tokens`: tokens
    generated."""
    reference: Annotated[float, Field(gt=0)] | None = None
    """Cost per sample at which an answer is worth nothing. If not set, the dearest sample's, so that numbers
    of different evaluations do not compare."""


class Hypervolume:
    """Share of the rectangle of cost and accuracy below the evaluation's mean point (protocol `Metric`)."""

    def __init__(self, options: Options | None, context: object) -> None:
        self.options = options or Options()

    def __call__(self, samples: Sequence[ScoredSample]) -> dict[str, float]:
        """`hypervolume`, the means `cost` and `accuracy` behind it, and `share/SOURCE` for each source.

        Raises:
            DataError: costs in dollars are asked for, and no rollout has one.
        """
        if not samples:
            return {"hypervolume": 0.0}
        costs = np.array([self._cost(sample) for sample in samples])
        if self.options.cost == "usd" and not costs.any():
            raise DataError(
                "no sample has a cost in dollars", where="metric 'hypervolume'",
                hint='the engine has no prices: take cost = "tokens", or an engine with prices',
            )  # fmt: skip
        reference = self.options.reference or float(costs.max()) or 1.0
        scores = np.array([sample.verdict.score or 0.0 for sample in samples])
        point = (float(costs.mean()), float(scores.mean()))
        sources = [sample.rollout.source for sample in samples]
        shares = {f"share/{s}": sources.count(s) / len(sources) for s in sorted(set(sources)) if s}
        return {
            "hypervolume": hypervolume([point], reference), "cost": point[0], "accuracy": point[1], **shares
        }  # fmt: skip

    def _cost(self, sample: ScoredSample) -> float:
        rollout = sample.rollout
        return rollout.cost.usd if self.options.cost == "usd" else float(rollout.generated)
