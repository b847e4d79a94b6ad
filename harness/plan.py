"""From a recipe to a plan: every name resolved, every option validated, every capability matched.

What can fail cheaply fails here, before a model is loaded or a GPU starts. A plan is made for one arm
and seed; it builds the concrete objects on demand.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.capabilities import TRAINER_ENGINE, shortfalls
from harness.errors import CapabilityError, RecipeError, near
from harness.plugins import Plugins
from harness.protocols import BuildContext, ModelFiles, ModelLoader, RunInfo
from harness.recipe import Arm, Heldout, Recipe, RecipeFile, Stage, Use
from harness.recipe.check import faults
from harness.records import Difficulty, PolicyRef
from harness.registry import Registration
from harness.requirements import missing_requirements
from harness.rewards import reduction
from harness.selection import POLICY, Rule, Subject


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
            build=lambda kind, name, options: self.build(kind, Use(name=name, **options), kind),
            resources=self.recipe.resources,
            render=self.recipe.model.prompt,
            model=self.recipe.model.name,
            context_length=self.recipe.model.context_length,
            lora=self.recipe.model.lora,
            initial=self.initial,
            base=self.base,
        )

    @property
    def heldout(self) -> tuple[Heldout, ...]:
        """The held-out sets of this machine: those that need the data folder only where there is one."""
        sets = self.recipe.evaluation.heldout
        return tuple(h for h in sets if not h.needs_data or data_folder() is not None)

    def find(self, kind: str, use: Use, where: str) -> Registration:
        return self.plugins.registry.find(kind, use.name, where=f"{self.file.path}, {where}")

    def measures_before(self, stage: Stage) -> bool:
        """Whether the stage alone is reason enough to measure the policy before it."""
        curriculum = self.find("curricula", stage.curriculum, f"stages {stage.name!r}, curriculum")
        needed = stage.kind == "label" or stage.reestimate or curriculum.capabilities.get("needs_labels")
        return bool(needed or (stage.select and Rule(stage.select).needs_labels))

    def build(self, kind: str, use: Use, where: str) -> Any:
        """A plugin object of this recipe; `where` is its field, for error messages."""
        place = f"{self.file.path}, {where}"
        return self.find(kind, use, where).build(use.options, self.context, field_path=place)

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
    found = faults(file, plugins.registry)
    if found:
        raise RecipeError("\n".join(found), where=str(file.path))
    for plan in plans:
        check(plan)
    return plans


def check(plan: Plan) -> None:
    """Raise for what the recipe asks and cannot have."""
    recipe = plan.recipe
    trainer = plan.find("trainers", recipe.trainer, "trainer")
    online = {
        stage.curriculum.name: bool(
            plan.find("curricula", stage.curriculum, f"stages {stage.name!r}").capabilities.get("online")
        )
        for stage in recipe.stages
    }
    for lack in shortfalls(recipe, trainer, online):
        others = [r.full_name for r in plan.plugins.registry.all("trainers") if r != trainer]
        raise CapabilityError(
            f"trainer {trainer.full_name!r} cannot do {lack.what}",
            where=f"{plan.file.path}, {lack.where}",
            hint=lack.hint
            or f"other trainers here: {', '.join(others) or 'none'}; harness plugins show {trainer.plugin}",
        )
    missing = missing_requirements(trainer.distribution, "lora") if recipe.model.lora is not None else []
    if missing:
        raise CapabilityError(
            f"LoRA needs {', '.join(missing)}",
            where=f"{plan.file.path}, model.lora",
            hint=f"pip install '{trainer.distribution}[lora]'",
        )
    if recipe.engine.name != TRAINER_ENGINE:
        engine = plan.find("engines", recipe.engine, "engine")
        if engine.capabilities.get("fixed_weights"):
            raise CapabilityError(
                f"engine {engine.full_name!r} cannot take a trained policy's weights",
                where=f"{plan.file.path}, engine",
                hint="leave engine out for the trainer's own, or name one that runs here",
            )
    for stage in recipe.stages:
        _check_stage(plan, stage)
    for name, rule in (*recipe.difficulty.tags.items(), ("discard", recipe.difficulty.discard)):
        if rule:
            _check_rule(plan, Rule(rule, where=f"{plan.file.path}, difficulty.{name}"), f"difficulty.{name}")


def _check_stage(plan: Plan, stage: Stage) -> None:
    where = f"stages {stage.name!r}"
    reduction(stage.reward, where=f"{plan.file.path}, {where}, reward")
    if stage.select:
        _check_rule(plan, Rule(stage.select, where=f"{plan.file.path}, {where}, select"), f"{where}, select")
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


def _check_rule(plan: Plan, rule: Rule, where: str) -> None:
    known = plan.recipe.difficulty.labels
    for model in sorted(rule.models - {"policy"}):
        if model not in known:
            raise RecipeError(
                f"the rule {rule.text!r} asks for labels of {model!r}",
                where=f"{plan.file.path}, {where}",
                allowed=near(model, known),
                hint=f'name their file: difficulty.labels."{model}" = {{ path = "..." }}',
            )
    # Worked out for a made-up subject: comparing words with numbers fails here, not after an hour.
    label = Difficulty(subject="any", model=POLICY, policy=PolicyRef(weights_sha=""), samples=3, passes=1)
    rule.matches(Subject("any", stratum="1"), {model: {"any": label} for model in (POLICY, *rule.models)})


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
            raise RecipeError(
                f"task {task!r} has {tokens} prompt tokens; with max_tokens = {max_tokens} that is beyond "
                f"the model's context of {files.context_length}",
                where=where,
                hint=f"set max_tokens to at most {max(1, files.context_length - tokens)}, or drop such tasks",
            )


def cache_folder() -> Path:
    """Where converted models and downloads are kept (`HARNESS_CACHE`, else under `XDG_CACHE_HOME`)."""
    if os.environ.get("HARNESS_CACHE"):
        return Path(os.environ["HARNESS_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "harness"


def data_folder() -> Path | None:
    """The folder of local benchmark data, by `HARNESS_DATA`; raises RecipeError when it is not there."""
    value = os.environ.get("HARNESS_DATA")
    if not value:
        return None
    path = Path(value)
    if not path.is_dir():
        raise RecipeError("is not a folder", where=f"HARNESS_DATA={value}")
    return path
