"""What a recipe asks of its trainer, against what the trainer says that it can do.

A mismatch is refused when the plan is made, never ignored. Capabilities are plain values of a
trainer's registration:

| capability | meaning |
|---|---|
| `kinds` | stage kinds it trains: `rl`, `sft` |
| `losses` | parts of `loss` it honours: `kl`, `entropy`, `mask_truncated`, `terms` |
| `kl_estimators` | values of `conventions.kl_estimator` that its KL term takes; absent: all |
| `entropy_normalise` | values of `conventions.normalise` that its entropy bonus takes; absent: all |
| `greedy` | `False`: cannot sample at temperature 0 |
| `curriculum_granularity` | `step`: asks for tasks at each step; `stage`: once a stage |
| `dynamic_sampling` | honours gates |
| `in_stage_evaluation` | evaluates with live weights inside a stage |
| `engine` | has an engine of its own |
| `lora` | trains adapters (`model.lora`) |
| `devices`, `precisions` | the values of `resources` it takes |
| `nodes` | runs on several machines or GPUs (`resources.nodes`, `resources.gpus_per_node`) |
| `python` | its backend may live in another environment (`resources.python`) |
| `resume` | goes on inside a stage from a checkpoint |
| `exact_resume` | and ends with the numbers of an unbroken stage |
| `simulated` | its outcomes are no model's |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from harness.recipe import Conventions, Recipe, Stage
from harness.registry import Registration

#: What a trainer may declare, and what holds where it says nothing; None allows every value.
CAPABILITIES: Final[dict[str, Any]] = {
    "kinds": ["rl"],
    "losses": [],
    "kl_estimators": None,
    "entropy_normalise": None,
    "greedy": True,
    "curriculum_granularity": "step",
    "dynamic_sampling": False,
    "in_stage_evaluation": False,
    "engine": False,
    "lora": False,
    "devices": None,
    "precisions": None,
    "nodes": False,
    "python": False,
    "resume": False,
    "exact_resume": True,
    "simulated": False,
}

#: The engine name that means the trainer's own.
TRAINER_ENGINE = "trainer"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """Something that the recipe asks and the trainer cannot do."""

    #: What it cannot do, in words that follow "cannot do".
    what: str
    #: Field of the recipe.
    where: str
    hint: str = ""


def shortfalls(recipe: Recipe, trainer: Registration, online: dict[str, bool]) -> Iterator[Shortfall]:
    """Every mismatch; `online` says for each curriculum name whether it decides at every step."""
    able = trainer.capabilities
    for stage in recipe.stages:
        yield from _of_stage(stage, trainer, online[stage.curriculum.name], recipe.conventions)
    if recipe.evaluation.every_steps is not None and not able.get("in_stage_evaluation"):
        yield Shortfall(
            "evaluation inside a stage", "evaluation.every_steps", "leave evaluation.every_steps out"
        )
    if recipe.engine.name == TRAINER_ENGINE and not able.get("engine"):
        yield Shortfall("an engine of its own", "engine", 'name one: engine = "transformers"')
    if recipe.model.lora is not None and not able.get("lora"):
        yield Shortfall("LoRA", "model.lora")
    resources = recipe.resources
    if not able.get("nodes"):
        for name, many in (
            ("nodes", resources.nodes > 1),
            ("gpus_per_node", (resources.gpus_per_node or 1) > 1),
        ):
            if many:
                yield Shortfall(
                    f"resources.{name} = {getattr(resources, name)}", f"resources.{name}", "leave it out"
                )
    if resources.python is not None and not able.get("python"):
        yield Shortfall("another interpreter", "resources.python", "leave it out")
    for field, value, allowed in (
        ("resources.precision", recipe.resources.precision, able.get("precisions")),
        ("resources.device", recipe.resources.device, able.get("devices")),
    ):
        if allowed is not None and value != "auto" and value not in allowed:
            yield Shortfall(f"{field} = {value!r}", field, f"use one of {', '.join(allowed)}")


def abler(
    lack: Shortfall, recipe: Recipe, trainers: Iterable[Registration], online: dict[str, bool]
) -> list[str]:
    """Names of the trainers that can do what another one cannot."""
    return [r.full_name for r in trainers if lack not in shortfalls(recipe, r, online)]


def _of_stage(
    stage: Stage, trainer: Registration, online: bool, conventions: Conventions
) -> Iterator[Shortfall]:
    able, where = trainer.capabilities, f"stages {stage.name!r}"
    if stage.kind in ("rl", "sft") and stage.kind not in able.get("kinds", ("rl",)):
        yield Shortfall(f"stages of kind {stage.kind!r}", where)
    asked = {
        "kl": stage.loss.kl > 0,
        "entropy": stage.loss.entropy > 0,
        "mask_truncated": stage.loss.mask_truncated,
        "terms": bool(stage.loss.terms),
    }
    for name, wanted in asked.items():
        if wanted and name not in able.get("losses", ()):
            yield Shortfall(f"loss.{name}", f"{where}, loss.{name}")
    for what, wanted, key, value in (
        ("conventions.kl_estimator", stage.loss.kl > 0, "kl_estimators", conventions.kl_estimator),
        (
            "loss.entropy with conventions.normalise",
            stage.loss.entropy > 0,
            "entropy_normalise",
            conventions.normalise,
        ),
    ):
        if wanted and key in able and value not in able[key]:
            yield Shortfall(f"{what} = {value!r}", where, f"use one of {', '.join(able[key])}")
    if stage.kind == "rl" and stage.rollout.temperature == 0 and able.get("greedy") is False:
        yield Shortfall("sampling at temperature 0", f"{where}, rollout.temperature", "raise it above 0")
    if stage.gates and not able.get("dynamic_sampling"):
        yield Shortfall("gates (dynamic sampling)", f"{where}, gates")
    if online and able.get("curriculum_granularity", "step") != "step":
        yield Shortfall(
            f"the online curriculum {stage.curriculum.name!r}: it takes its tasks by the stage",
            f"{where}, curriculum",
        )
