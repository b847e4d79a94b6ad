"""From a recipe to a plan: every name resolved, every option validated, every capability matched.

What can fail cheaply fails here, before a model is loaded or a GPU starts. A plan is made for one arm
and seed; it builds the concrete objects on demand.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from harness.contract.capabilities import CurriculumCapabilities, LabelCapabilities, ShaperCapabilities
from harness.contract.errors import CapabilityError, RecipeError, near
from harness.contract.protocols import BuildContext, Engine, ModelFiles, ModelLoader, RunInfo
from harness.contract.records import Difficulty
from harness.planning.capabilities import TRAINER_ENGINE, abler, shortfalls
from harness.planning.fitting import check_fit
from harness.planning.objects import asked, checked, stage_uses
from harness.planning.wrapping import TrainerEngine
from harness.plugging.plugins import Plugins
from harness.plugging.registry import Registration
from harness.plugging.requirements import missing_requirements
from harness.recipe import Arm, Heldout, Recipe, RecipeFile, Stage, Use
from harness.recipe.check import faults
from harness.recipe.rules import POLICY, Rule
from harness.recipe.uses import label_names
from harness.support.folders import cache_folder, data_folder


@dataclass(frozen=True, slots=True)
class Plan:
    """One arm of a recipe with one seed, ready to be built."""

    file: RecipeFile
    arm: Arm
    recipe: Recipe
    seed: int
    plugins: Plugins
    #: The initial policy's files, once they are loaded.
    initial: ModelFiles | None = None
    #: Labels of other models by model and subject, once they are read.
    labels: Mapping[str, Mapping[str, Difficulty]] = field(default_factory=dict)
    #: The trainer's own engine, while engines are built that wrap it.
    own_engine: Callable[[], Engine] | None = None

    @property
    def base(self) -> Path:
        """The folder that relative paths in the recipe start from."""
        return self.file.path.resolve().parent

    def info(self, folder: Path) -> RunInfo:
        return RunInfo(folder, self.recipe.name, self.arm.name, self.seed)

    @property
    def context(self) -> BuildContext:
        return BuildContext(
            seed=self.seed,
            cache=cache_folder(),
            data=data_folder(),
            build=lambda kind, name, options, *, model="": self.build(
                kind, Use(name=name, **options), kind, model=model
            ),
            resources=self.recipe.resources,
            render=self.recipe.model.prompt,
            model=self.recipe.model.name,
            context_length=self.recipe.model.context_length,
            lora=self.recipe.model.lora,
            initial=self.initial,
            base=self.base,
            labels=self.labels,
        )

    @property
    def heldout(self) -> tuple[Heldout, ...]:
        """The held-out sets of this machine: those that need the data folder only if there is one."""
        sets = self.recipe.evaluation.heldout
        return tuple(h for h in sets if not h.needs_data or data_folder() is not None)

    def find(self, kind: str, use: Use, where: str) -> Registration:
        return self.plugins.registry.find(kind, use.name, where=f"{self.file.path}, {where}")

    def measures_before(self, stage: Stage) -> bool:
        """Whether the stage alone is reason enough to measure the policy before it."""
        return stage.kind == "label" or stage.reestimate or self.needs_labels(stage)

    def needs_labels(self, stage: Stage) -> bool:
        """Whether a rule of the recipe, or the stage's curriculum, a gate or a shaper, asks for the policy's
        labels: by its capability, or by an option."""
        measured = self.recipe.difficulty
        rules = [text for text in (stage.select, measured.discard, *measured.tags.values()) if text]
        if any(Rule(text).needs_labels for text in rules):
            return True
        models: dict[str, type[LabelCapabilities]] = {
            "curricula": CurriculumCapabilities, "gates": LabelCapabilities, "shapers": ShaperCapabilities,
        }  # fmt: skip
        for kind, use, where in stage_uses(stage):
            if kind in models:
                registration = self.find(kind, use, where)
                options = registration.validate(use.options, field_path=f"{self.file.path}, {where}")
                if registration.able(models[kind]).needs_labels or (
                    isinstance(options, BaseModel)
                    and any(name == POLICY for _, name, _ in label_names(options))
                ):
                    return True
        return False

    def build(self, kind: str, use: Use, where: str, *, model: str = "") -> Any:
        """A plugin object of this recipe; `where` is its field, for error messages, `model` the name of
        another model than the recipe's."""
        place = f"{self.file.path}, {where}"
        if (kind, use.name) == ("engines", TRAINER_ENGINE):
            if self.own_engine is None:
                raise RecipeError(
                    "the trainer's own engine cannot be wrapped here",
                    where=place,
                    allowed="`engine` and `stages.rollout.engine`",
                )
            return TrainerEngine(self.own_engine)
        return self.find(kind, use, where).build(use.options, self.context.of_model(model), field_path=place)

    def model_files(self, loader: ModelLoader | None = None) -> ModelFiles:
        """The initial policy's files, with the recipe's context length whatever the loader found."""
        if loader is None:
            loader = self.build("models", self.recipe.model.loader, "model.loader")
        files: ModelFiles = loader.load()
        return replace(files, context_length=self.recipe.model.context_length or files.context_length)


def make_plans(file: RecipeFile, plugins: Plugins, *, arms: Iterable[str] = ()) -> list[Plan]:
    """A checked plan for every arm and seed, arms in the recipe's order.

    Args:
        file: the recipe.
        plugins: what is installed.
        arms: names of the only arms to plan.

    Raises:
        HarnessError: the first thing that would fail later, with its field.
    """
    wanted = list(arms)
    available = file.arms()
    known = [arm.name for arm, _ in available]
    for name in wanted:
        if name not in known:
            raise RecipeError(f"there is no arm {name!r}", where=str(file.path), allowed=near(name, known))
    plans = [
        Plan(file, arm, recipe, seed, plugins)
        for arm, recipe in available
        if not wanted or arm.name in wanted
        for seed in recipe.seeds
    ]
    wrong = faults(file, plugins.registry)
    if wrong:
        raise RecipeError("\n".join(wrong), where=str(file.path))
    for plan in plans:
        check(plan)
    return plans


def check(plan: Plan) -> None:
    """Raise for what the recipe asks and cannot have."""
    recipe = plan.recipe
    trainer = plan.find("trainers", recipe.trainer, "trainer")
    checked(plan, "difficulty_estimators", recipe.difficulty.estimator, "difficulty.estimator")
    needs = {stage.name: asked(plan, stage) for stage in recipe.stages}
    for lack in shortfalls(recipe, trainer, needs):
        others = abler(lack, recipe, plan.plugins.registry.all("trainers"), needs)
        way_out = f"trainers here that can: {', '.join(others)}" if others else "no trainer here can"
        raise CapabilityError(
            f"trainer {trainer.full_name!r} cannot do {lack.what}",
            where=f"{plan.file.path}, {lack.where}",
            hint=lack.hint or f"{way_out}; harness plugins show {trainer.plugin}",
        )
    missing = missing_requirements(trainer.distribution, "lora") if recipe.model.lora is not None else []
    if missing:
        raise CapabilityError(
            f"LoRA needs {', '.join(missing)}",
            where=f"{plan.file.path}, model.lora",
            hint=f"pip install '{trainer.distribution}[lora]'",
        )
    check_fit(plan)
    for stage in recipe.stages:
        _check_stage(plan, stage)


def _check_stage(plan: Plan, stage: Stage) -> None:
    where = f"stages {stage.name!r}"
    for use in (stage.reward, *stage.reward_metrics):
        plan.build("rewards", use, f"{where}, reward")
    if stage.repeat == "budget" and plan.recipe.budget == type(plan.recipe.budget)():
        raise RecipeError(
            'repeat = "budget" never ends without a budget', where=f"{plan.file.path}, {where}",
            hint="set budget.rollouts or budget.tokens",
        )  # fmt: skip
    if stage.repeat == "budget" and stage.kind != "rl":
        raise RecipeError(
            f'repeat = "budget" never ends for kind = "{stage.kind}", which need not spend any of it',
            where=f"{plan.file.path}, {where}", hint="say how often",
        )  # fmt: skip
    limits = [stage.until.steps, stage.max_steps]
    if stage.kind == "rl":  # nothing is sampled in an sft stage, so that counts of rollouts never end it
        budget = plan.recipe.budget
        limits += [stage.until.rollouts, stage.until.tokens, budget.rollouts, budget.tokens]
    if stage.kind in ("rl", "sft") and all(limit is None for limit in limits):
        raise RecipeError(
            "nothing ends this stage", where=f"{plan.file.path}, {where}",
            hint="set max_steps" + (", until.rollouts or budget.rollouts" if stage.kind == "rl" else ""),
        )  # fmt: skip


def check_disk(plan: Plan, files: ModelFiles, folder: Path, runs: int = 1) -> None:
    """Raise when the checkpoints that so many runs of the recipe keep cannot fit on the disk.

    A checkpoint is counted as three times the weights in fp32 (weights and Adam's two moments).
    """
    weights = sum(p.stat().st_size for p in files.path.rglob("*.safetensors"))
    lasts = sum(1 if stage.repeat == "budget" else stage.repeat for stage in plan.recipe.stages)
    kept = runs * (plan.recipe.checkpoints.keep + lasts + 1)
    needed = 3 * weights * kept / 1e9 + plan.recipe.checkpoints.min_free_gb
    free = shutil.disk_usage(folder).free / 1e9
    if needed > free:
        raise RecipeError(
            f"{kept} checkpoints of {3 * weights / 1e9:.1f} GB and min_free_gb need {needed:.1f} GB, "
            f"{free:.1f} GB are free",
            where=str(folder),
            hint="set checkpoints.keep lower, or run elsewhere with --runs",
        )


def check_context(lengths: Mapping[str, int], max_tokens: int, files: ModelFiles, where: str) -> None:
    """Raise when a prompt (tokens by task id) and `max_tokens` do not fit the model's context."""
    for task, tokens in lengths.items():
        if tokens + max_tokens > files.context_length:
            room = files.context_length - tokens
            lower = f"set max_tokens to at most {room}, or " if room > 0 else ""
            raise RecipeError(
                f"task {task!r} has {tokens} prompt tokens; with max_tokens = {max_tokens} that is beyond "
                f"the model's context of {files.context_length}",
                where=where,
                hint=f"{lower}drop such tasks, or take a model with a longer context",
            )
