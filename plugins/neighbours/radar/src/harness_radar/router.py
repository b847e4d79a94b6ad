"""Engine `router`: each query goes to the configuration that is just able enough for it.

A configuration is a model with a budget of tokens and a price. Its ability comes from the scale, the query's
difficulty from the scale, too, or from the query's text; the decision stands in the ledger, as `source` and
`cost` of the rollout. A completion that a configuration's budget cuts finishes with `budget`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from harness.contract import (
    BuildContext,
    Cost,
    DataError,
    Engine,
    EngineError,
    ModelFiles,
    Policy,
    PolicyRef,
    RecipeError,
    Request,
    Rollout,
    kind,
    near,
)
from harness.recipe import Model, Use
from harness.statistics.irt import Ability, Item, Items, Scale, blurred, passing, read_scale
from pydantic import Field, model_validator

from harness_radar.choosing import Floats, Rule, choose
from harness_radar.features import TextScale

WHERE = "engine 'staged-harness-radar/router'"
MILLION = 1e6


class Configuration(Model):
    """A model with a budget and a price."""

    name: str
    """Its name on the scale, and `source` of its rollouts."""
    engine: Annotated[Use, kind("engines")]
    """Plugin of kind `engines` that generates."""
    price: Annotated[float, Field(ge=0)] | None = None
    """US dollars per million generated tokens. A router without prices has nothing to weigh, so each
    configuration needs one; 0 is a price."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Budget per completion, in tokens, within what is asked for. If not set, what is asked for."""
    model: str = ""
    """Name of its model. If not set, it generates with the policy of the run."""
    loader: Annotated[Use, kind("models")] | None = None
    """Plugin of kind `models` that loads `model`. If not set, the engine finds its model itself, as one that
    asks servers does."""
    tokens: Annotated[float, Field(gt=0)] | None = None
    """Tokens that a completion is expected to take, for its cost. If not set, the mean on the scale; without
    one, the budget."""


class Options(Model):
    """Between which configurations is chosen, and what accuracy is worth."""

    configurations: Annotated[tuple[Configuration, ...], Field(min_length=1)]
    """The configurations."""
    scale: str
    """File of the scale (`harness irt fit`), relative to the recipe."""
    rule: Rule = "chebyshev"
    """How accuracy and cost become one number. `linear`: the largest w p - (1 - w) c. `chebyshev`: the
    smallest max(w (1 - p), (1 - w) c). p is the chance to pass, c the cost as a share of the dearest
    configuration's."""
    weight: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Weight w of accuracy. 0 takes the cheapest configuration, 1 the one most likely to pass."""
    unknown: Literal["predict", "refuse"] = "predict"
    """What becomes of a query that is not on the scale. `predict`: its difficulty is predicted from its text,
    or is that of the scale's mean item if the scale has no predictor. `refuse`: an error."""

    @model_validator(mode="after")
    def _priced(self) -> Options:
        names = [each.name for each in self.configurations]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two configurations are named {twice[0]!r}")
        if free := [each.name for each in self.configurations if each.price is None]:
            raise ValueError(
                f"without a price: {', '.join(free)}. Give each `price`, in US dollars per million tokens"
            )
        for each in self.configurations:
            if each.loader is not None and not each.model:
                raise ValueError(f"{each.name}: loader without model: name the model that it loads")
        return self


@dataclass(slots=True)
class _Arm:
    """A configuration that is ready."""

    options: Configuration
    ability: Ability
    engine: Engine
    #: The policy of a model of its own.
    policy: PolicyRef | None = None

    @property
    def expected(self) -> float:
        """US dollars that a completion is expected to cost; raises RecipeError if its length is not known."""
        tokens = self.options.tokens or self.ability.tokens or self.options.max_tokens
        if tokens is None:
            raise RecipeError(
                f"how many tokens a completion of {self.options.name!r} takes is not known, so neither "
                "is its cost",
                where=WHERE, hint="set its `tokens` or `max_tokens`, or fit the scale to ledgers",
            )  # fmt: skip
        return tokens * (self.options.price or 0.0) / MILLION


class Router:
    """Engine `router` (protocol `Engine`)."""

    def __init__(self, options: Options, context: BuildContext) -> None:
        """Build every configuration's engine.

        Raises:
            DataError: no scale, or a configuration is not on it.
            RecipeError: the cost of a configuration is not known, or all are free.
        """
        self.options = options
        self.scale = read_scale(context.base / Path(options.scale), TextScale)
        self.arms = [_arm(each, self.scale, context) for each in options.configurations]
        self.costs: Floats = np.array([arm.expected for arm in self.arms])
        if len(self.arms) > 1 and not self.costs.any():
            raise RecipeError(
                "every configuration is free: there is nothing to weigh against accuracy", where=WHERE,
                hint="give prices that differ from 0, or take the best configuration alone",
            )  # fmt: skip

    def chances(self, request: Request) -> Floats:
        """P(pass) of each configuration, shape (configurations,).

        Raises:
            EngineError: the query is not on the scale and `unknown` is `refuse`.
        """
        item = self._item(request)
        theta = np.array([arm.ability.theta for arm in self.arms])
        one = Items((request.key.task,), *(np.array([x]) for x in (item.a, item.b, item.a_se, item.b_se)))
        return np.array([float(passing(t, (seen := blurred(one, t)).a, seen.b)[0]) for t in theta.tolist()])

    def _item(self, request: Request) -> Item:
        item = self.scale.items.get(request.key.task)
        if item is not None:
            return item
        if self.options.unknown == "refuse":
            raise EngineError(
                f"query {request.key.task!r} is not on the scale", where=WHERE,
                allowed=near(request.key.task, self.scale.items),
                hint='unknown = "predict" guesses from its text',
            )  # fmt: skip
        return self.scale.predicted("\n".join(message.content for message in request.prompt))

    def chosen(self, request: Request) -> int:
        """The place of the configuration that answers. It depends on the query alone, so that all samples of
        a problem are of one configuration."""
        return choose(self.chances(request), self.costs, self.options.weight, self.options.rule)

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """Yield a rollout per request, one configuration after the other."""
        by_arm: dict[int, list[Request]] = {}
        for request in requests:
            by_arm.setdefault(self.chosen(request), []).append(request)
        for place, members in sorted(by_arm.items()):
            arm = self.arms[place]
            budget = arm.options.max_tokens
            asked = {request.key: request.sampling for request in members}
            async for rollout in arm.engine.generate([_within(request, budget) for request in members]):
                usd = rollout.cost.usd + rollout.generated * (arm.options.price or 0.0) / MILLION
                cost = Cost(tokens=rollout.cost.tokens, usd=usd)
                source = f"{arm.options.name}/{rollout.source}" if rollout.source else arm.options.name
                cut = rollout.finish == "length" and rollout.sampling != asked[rollout.key]
                yield replace(
                    rollout, source=source, cost=cost, sampling=asked[rollout.key],
                    finish="budget" if cut else rollout.finish,
                )  # fmt: skip

    def prompt_tokens(self, request: Request) -> int:
        """Length of the prompt as the chosen configuration renders it, in tokens."""
        return self.arms[self.chosen(request)].engine.prompt_tokens(request)

    def sync_weights(self, policy: Policy) -> None:
        """Hand the policy to the configurations without a model of their own.

        Raises:
            EngineError: all have their own, and the policy is one that was trained.
        """
        followers = [arm for arm in self.arms if arm.policy is None]
        if not followers and policy.ref.stage:
            raise EngineError(
                "every configuration has a model of its own, so that the trained policy would not "
                "answer",
                where=WHERE, hint="leave out `model` for the configuration that follows the run's policy",
            )  # fmt: skip
        for arm in followers:
            arm.engine.sync_weights(policy)

    def close(self) -> None:
        """End all engines."""
        for arm in self.arms:
            arm.engine.close()


def _within(request: Request, budget: int | None) -> Request:
    """The request with no more tokens than the budget."""
    if budget is None or budget >= request.sampling.max_tokens:
        return request
    return replace(request, sampling=replace(request.sampling, max_tokens=budget))


def _arm(options: Configuration, scale: Scale, context: BuildContext) -> _Arm:
    if options.name not in scale.configurations:
        raise DataError(
            f"configuration {options.name!r} is not on the scale", where=WHERE,
            allowed=near(options.name, scale.configurations), hint="evaluate it, and fit the scale with it",
        )  # fmt: skip
    engine: Engine = context.build(
        "engines", options.engine.name, options.engine.options, model=options.model
    )
    arm = _Arm(options, scale.configurations[options.name], engine)
    if options.loader is not None:
        loader = context.build("models", options.loader.name, options.loader.options, model=options.model)
        files: ModelFiles = loader.load()
        arm.policy = PolicyRef(weights_sha=files.weights_sha)
        engine.sync_weights(Policy(arm.policy, files))
    elif options.model:
        arm.policy = PolicyRef(weights_sha=options.model)
        engine.sync_weights(Policy(arm.policy, ModelFiles(Path(), options.model, 0, chat=True)))
    return arm
