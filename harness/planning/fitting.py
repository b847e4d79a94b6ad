"""Whether the plugins of a recipe fit each other: whose weights an engine has, and who is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel

from harness.contract.capabilities import (
    EngineCapabilities,
    ModelCapabilities,
    TaskSourceCapabilities,
    TrainerCapabilities,
)
from harness.contract.errors import CapabilityError
from harness.planning.capabilities import TRAINER_ENGINE
from harness.plugging.registry import Registration
from harness.recipe import Stage, Use
from harness.recipe.uses import BUILT_IN, inner_uses

if TYPE_CHECKING:
    from harness.planning.plan import Plan


def check_fit(plan: Plan) -> None:
    """Raise CapabilityError for plugins that cannot work on the same policy."""
    if any(stage.kind in ("rl", "sft") for stage in plan.recipe.stages):
        _check_weights(plan)
    for stage in plan.recipe.stages:
        _check_sampler(plan, stage)
    _check_simulation(plan)


def _check_weights(plan: Plan) -> None:
    """An engine that keeps its own weights would be measured in the place of the policy in training."""
    for engine, where in _engines(plan):
        if engine.able(EngineCapabilities).fixed_weights:
            raise CapabilityError(
                f"engine {engine.full_name!r} cannot take a trained policy's weights",
                where=f"{plan.file.path}, {where}",
                hint="leave engine out for the trainer's own, or name one that runs here",
            )


def _check_sampler(plan: Plan, stage: Stage) -> None:
    """A stage is sampled by the policy in training: its engine is the trainer's own or wraps it."""
    where = f"stages {stage.name!r}, rollout.engine"
    if stage.rollout.engine.name == TRAINER_ENGINE:
        return
    if stage.kind != "rl":
        raise CapabilityError(
            f"a stage of kind {stage.kind!r} samples nothing", where=f"{plan.file.path}, {where}",
            hint="leave rollout.engine out",
        )  # fmt: skip
    named = list(_named(plan, "engines", stage.rollout.engine, where))
    held = [use.name for kind, use, _, ends in named if kind == "engines" and ends]
    if held != [TRAINER_ENGINE]:
        raise CapabilityError(
            f"it samples through {', '.join(map(repr, held))}, whose weights are not the trainer's",
            where=f"{plan.file.path}, {where}",
            hint="name an engine that wraps one, and that one `trainer`",
        )


def _check_simulation(plan: Plan) -> None:
    recipe = plan.recipe
    trainer = plan.find("trainers", recipe.trainer, "trainer")
    simulated = trainer.able(TrainerCapabilities).simulated
    loader = plan.find("models", recipe.model.loader, "model.loader")
    parts = [("model.loader", loader, loader.able(ModelCapabilities).simulated)]
    for i, use in enumerate(recipe.tasks.train):
        source = plan.find("task_sources", use, f"tasks.train.{i}")
        parts.append((f"tasks.train.{i}", source, source.able(TaskSourceCapabilities).simulated))
    if recipe.engine.name != TRAINER_ENGINE:
        engine = plan.find("engines", recipe.engine, "engine")
        parts.append(("engine", engine, engine.able(EngineCapabilities).simulated))
    for where, part, is_simulated in parts:
        if is_simulated != simulated:
            one, other = ("a simulation", "none") if simulated else ("no simulation", "one")
            raise CapabilityError(
                f"trainer {trainer.full_name!r} is {one}, {part.full_name!r} is {other}",
                where=f"{plan.file.path}, {where}",
                hint="name a simulated model, simulated tasks and a simulated trainer, or none of them",
            )


def _engines(plan: Plan) -> Iterator[tuple[Registration, str]]:
    """Every engine that measures or evaluates, those that another plugin's options name included."""
    if plan.recipe.engine.name != TRAINER_ENGINE:
        yield from _nested(plan, "engines", plan.recipe.engine, "engine")
    yield from _nested(plan, "trainers", plan.recipe.trainer, "trainer")


def _nested(plan: Plan, kind: str, use: Use, where: str) -> Iterator[tuple[Registration, str]]:
    for inner_kind, inner, place, _ in _named(plan, kind, use, where):
        if inner_kind == "engines" and (inner_kind, inner.name) not in BUILT_IN:
            yield plan.find("engines", inner, place), place


def _named(plan: Plan, kind: str, use: Use, where: str) -> Iterator[tuple[str, Use, str, bool]]:
    """A plugin and those that its options name: kind, use, field, and whether it names no engine itself."""
    if (kind, use.name) in BUILT_IN:
        yield kind, use, where, True
        return
    registration = plan.find(kind, use, where)
    options = registration.validate(use.options, field_path=f"{plan.file.path}, {where}")
    inner = list(inner_uses(options, where)) if isinstance(options, BaseModel) else []
    yield kind, use, where, not any(inner_kind == "engines" for inner_kind, _, _ in inner)
    for inner_kind, named, place in inner:
        yield from _named(plan, inner_kind, named, place)
