"""What a recipe asks of its trainer, against what the trainer says that it can do.

A mismatch is refused when the plan is made, never ignored. What a trainer may declare is
`harness.contract.capabilities.TrainerCapabilities`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.contract.capabilities import (
    CurriculumCapabilities,
    ShaperCapabilities,
    TrainerCapabilities,
)
from harness.contract.errors import near
from harness.plugging.registry import Registration
from harness.recipe import Conventions, OptimizerOptions, Recipe, Stage

#: The engine name that means the trainer's own.
TRAINER_ENGINE = "trainer"
#: Fields of a stage that a trainer may not have, by table.
_OPTIONAL: Final = {
    "rollout": ("temperature", "top_p", "top_k", "engine"),
    "optimizer": tuple(name for name in OptimizerOptions.model_fields if name != "lr"),
}


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Something that the recipe asks and the trainer cannot do."""

    #: What it cannot do, in words that follow "cannot do".
    what: str
    #: Field of the recipe.
    where: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a stage's plugins ask of the trainer."""

    curriculum: CurriculumCapabilities
    shapers: Mapping[str, ShaperCapabilities]
    #: Inputs that the loss terms name, by the term's name.
    term_inputs: Mapping[str, Sequence[str]]


def shortfalls(recipe: Recipe, trainer: Registration, asked: Mapping[str, Asked]) -> Iterator[Shortfall]:
    """Every mismatch; `asked` says for each stage's name what its plugins need."""
    able = trainer.able(TrainerCapabilities)
    for stage in recipe.stages:
        yield from _of_stage(stage, able, recipe.conventions)
        yield from _of_plugins(stage, able, asked[stage.name])
    if recipe.evaluation.every_steps is not None and not able.in_stage_evaluation:
        yield Shortfall(
            "evaluation inside a stage", "evaluation.every_steps", "leave evaluation.every_steps out"
        )
    if recipe.engine.name == TRAINER_ENGINE and not able.engine:
        yield Shortfall("an engine of its own", "engine", 'name one: engine = "transformers"')
    if recipe.model.lora is not None and not able.lora:
        yield Shortfall("LoRA", "model.lora")
    resources = recipe.resources
    if not able.nodes:
        for name, many in (
            ("nodes", resources.nodes > 1),
            ("gpus_per_node", (resources.gpus_per_node or 1) > 1),
        ):
            if many:
                yield Shortfall(
                    f"resources.{name} = {getattr(resources, name)}", f"resources.{name}", "leave it out"
                )
    if resources.python is not None and not able.python:
        yield Shortfall("another interpreter", "resources.python", "leave it out")
    for field, value, allowed in (
        ("resources.precision", resources.precision, able.precisions),
        ("resources.device", resources.device, able.devices),
    ):
        if allowed is not None and value != "auto" and value not in allowed:
            yield Shortfall(f"{field} = {value!r}", field, f"use one of {', '.join(allowed)}")


def abler(
    lack: Shortfall, recipe: Recipe, trainers: Iterable[Registration], asked: Mapping[str, Asked]
) -> list[str]:
    """Names of the trainers that can do what another one cannot."""
    return [r.full_name for r in trainers if lack.what not in {s.what for s in shortfalls(recipe, r, asked)}]


def _of_stage(stage: Stage, able: TrainerCapabilities, conventions: Conventions) -> Iterator[Shortfall]:
    where, loss = f"stages {stage.name!r}", stage.loss
    if stage.kind in ("rl", "sft") and stage.kind not in able.kinds:
        yield Shortfall(f"stages of kind {stage.kind!r}", where)
    parts = {
        "kl": loss.kl > 0,
        "entropy": loss.entropy > 0,
        "mask_truncated": loss.mask_truncated,
        "terms": bool(loss.terms),
    }
    for name, wanted in parts.items():
        if wanted and name not in able.losses:
            yield Shortfall(f"loss.{name}", f"{where}, loss.{name}")
    for what, wanted, allowed, value in (
        ("conventions.kl_estimator", loss.kl > 0, able.kl_estimators, conventions.kl_estimator),
        (
            "loss.entropy with conventions.normalise",
            loss.entropy > 0,
            able.entropy_normalise,
            conventions.normalise,
        ),
    ):
        if wanted and allowed is not None and value not in allowed:
            yield Shortfall(f"{what} = {value!r}", where, f"use one of {', '.join(allowed)}")
    if stage.kind == "sft":
        for name in ("gates", "shapers", "loss"):
            if getattr(stage, name) != Stage.model_fields[name].default:
                yield Shortfall(
                    f"{name} in a stage of kind 'sft', which samples nothing",
                    f"{where}, {name}",
                    "leave it out",
                )
    if stage.gates and not able.dynamic_sampling:
        yield Shortfall("gates (dynamic sampling)", f"{where}, gates")
    if stage.kind == "rl" and stage.rollout.temperature == 0 and not able.greedy:
        yield Shortfall("sampling at temperature 0", f"{where}, rollout.temperature", "raise it above 0")
    for table, options, honoured in (
        ("rollout", stage.rollout, able.sampling),
        ("optimizer", stage.optimizer, able.optimizer),
    ):
        for name in _OPTIONAL[table]:
            if name not in honoured and getattr(options, name) != type(options).model_fields[name].default:
                yield Shortfall(f"{table}.{name}", f"{where}, {table}.{name}")


def _of_plugins(stage: Stage, able: TrainerCapabilities, asked: Asked) -> Iterator[Shortfall]:
    """What the stage's plugins need of the trainer."""
    where, curriculum = f"stages {stage.name!r}", asked.curriculum
    if curriculum.online and able.curriculum_granularity != "step":
        yield Shortfall(
            f"the online curriculum {stage.curriculum.name!r}: it takes its tasks by the stage",
            f"{where}, curriculum",
        )
    if curriculum.group_sizes and not able.group_sizes:
        yield Shortfall(
            f"groups of several sizes, which the curriculum {stage.curriculum.name!r} asks for",
            f"{where}, curriculum",
        )
    if stage.replay is not None and not able.replay:
        yield Shortfall("replay", f"{where}, replay", "leave it out")
    if stage.replay is not None and stage.rollout.temperature != 1:
        yield Shortfall(
            "replay of groups that were not sampled at temperature 1", f"{where}, replay",
            "set rollout.temperature = 1: stored log-probabilities are of that one",
        )  # fmt: skip
    if curriculum.replay and stage.replay is None:
        yield Shortfall(
            f"the curriculum {stage.curriculum.name!r} without a group store", f"{where}, replay",
            "set replay.keep, the number of groups that the store holds",
        )  # fmt: skip
    if curriculum.replay and not able.replay:
        yield Shortfall(
            f"replay, which the curriculum {stage.curriculum.name!r} asks for", f"{where}, curriculum"
        )
    for name, shaper in asked.shapers.items():
        if shaper.token_credit and not able.token_credit:
            yield Shortfall(f"advantages per token, which the shaper {name!r} gives", f"{where}, shapers")
    if "terms" not in able.losses:
        return
    for name, inputs in asked.term_inputs.items():
        for wanted in inputs:
            if wanted not in able.loss_inputs:
                yield Shortfall(
                    f"the input {wanted!r} of the loss term {name!r}",
                    f"{where}, loss.terms",
                    f"its inputs: {near(wanted, able.loss_inputs)}",
                )
