"""What a plan would cost on hardware that is not here: from stated rates, never measured ones.

    seconds of a step = tokens / generate_tokens_per_second + tokens / train_tokens_per_second + fixed seconds
    tokens of a step  = batch * n * mean completion

The rates are a file of their own, so that whoever has the hardware can put theirs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from harness.contract.errors import UNPARSABLE, DataError
from harness.planning.plan import Plan
from harness.recipe import Stage
from harness.recipe.errors import validated
from harness.recipe.stage import Count, Model

Rate = Annotated[float, Field(gt=0)]


class Rates(Model):
    """Rates of all GPUs together."""

    about: str
    """Where the rates come from, in words."""
    gpus: Count
    """Number of GPUs."""
    generate_tokens_per_second: Rate
    """Completion tokens that all GPUs together generate per second."""
    train_tokens_per_second: Rate
    """Completion tokens that all GPUs together train on per second: log-probabilities, reference model and
    update."""
    mean_tokens: dict[str, Rate]
    """Mean length of a completion in tokens, by stage; `default` for stages that are not named."""
    step_seconds: Annotated[float, Field(ge=0)] = 0.0
    """Seconds per step that no token explains: rewards that do not overlap, transfers of weights."""
    gpu_hour: Annotated[float, Field(ge=0)] = 0.0
    """Price per GPU hour, in any currency."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a stage, or of a run; additive."""

    steps: int
    rollouts: int
    tokens: float
    seconds: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.steps + other.steps,
            self.rollouts + other.rollouts,
            self.tokens + other.tokens,
            self.seconds + other.seconds,
        )


def read_rates(path: Path) -> Rates:
    """Rates from a TOML file; raises DataError for a file that is none, RecipeError for its fields."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, *UNPARSABLE) as error:
        raise DataError(f"no rates: {error}", where=str(path)) from None
    return validated(Rates, values, where=str(path))


def stage_cost(stage: Stage, rates: Rates) -> Cost:
    """Cost of a training stage that says how long it is.

    Raises:
        DataError: it has no bound in steps or rollouts, or no mean length is stated for it.
    """
    per_step = stage.rollout.n * stage.rollout.batch
    bounds = [
        stage.max_steps,
        stage.until.steps,
        stage.until.rollouts and -(-stage.until.rollouts // per_step),
    ]
    known = [bound for bound in bounds if bound]
    if not known or stage.repeat == "budget":
        raise DataError(
            f"stage {stage.name!r} has no bound on its steps, so its cost is not known",
            where="stages",
            hint="set max_steps, until.steps or until.rollouts, and a number of repeats",
        )
    mean = rates.mean_tokens.get(stage.name, rates.mean_tokens.get("default"))
    if mean is None:
        raise DataError(f"the rates state no mean_tokens for stage {stage.name!r}, and no default")
    steps = min(known) * stage.repeat
    tokens = steps * per_step * min(mean, stage.rollout.max_tokens)
    pace = 1 / rates.generate_tokens_per_second + 1 / rates.train_tokens_per_second
    return Cost(steps, steps * per_step, tokens, tokens * pace + steps * rates.step_seconds)


def costs_of(plan: Plan, rates: Rates) -> Mapping[str, Cost]:
    """Cost by training stage of one run; measurements and evaluations are not in it."""
    return {stage.name: stage_cost(stage, rates) for stage in plan.recipe.stages if stage.kind == "rl"}


def told(costs: Mapping[str, Cost], rates: Rates) -> Iterator[str]:
    """Costs in words, one line per stage."""
    yield f"  cost at stated rates ({rates.about}):"
    rows = dict(costs)
    if len(rows) > 1:
        first, *rest = rows.values()
        rows["in all"] = sum(rest, first)
    for name, cost in rows.items():
        hours = cost.seconds / 3600
        size = f"{cost.steps:,} steps, {cost.rollouts:,} rollouts, {cost.tokens / 1e9:,.1f}G tokens"
        price = (
            f", {hours * rates.gpus * rates.gpu_hour:,.0f} at {rates.gpu_hour:g} per hour"
            if rates.gpu_hour
            else ""
        )
        spent = f"{hours:,.0f} h on {rates.gpus} GPUs = {hours * rates.gpus:,.0f} GPU-hours"
        yield f"    {name}: {size}, {spent}{price}"
