"""What can be refused with the model's files at hand, still before a model is loaded.

Prompt lengths are counted with the `tokenizers` library alone, on held-out tasks and on a spread of
training tasks. A chat template adds tokens to what is counted here, so a refusal is always right; the
engine counts exactly before the first evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import RecipeError
from harness.parts import build_heldout, build_pool
from harness.plan import Plan, check_context, check_disk
from harness.protocols import ModelFiles
from harness.records import Task

#: Training tasks whose lengths are looked at.
SPREAD = 256
#: Finite training sets up to this size are held against the held-out tasks before a run.
FINITE = 50_000


def preflight(plan: Plan, runs: Path, count: int = 1) -> None:
    """Raise for prompts beyond the context, and for checkpoints beyond the disk, of
    which `count` runs share it.

    Models whose loader must fetch or convert first (no capability `local`, or an attribute `local` that is
    false) are looked at by the run.
    """
    heldout = build_heldout(plan)
    pool = build_pool(plan, heldout)
    pool.check_disjoint(FINITE)
    loader = plan.find("models", plan.recipe.model.loader, "model.loader")
    if not loader.capabilities.get("local"):
        return
    model = plan.build("models", plan.recipe.model.loader, "model.loader")
    if not getattr(model, "local", True):
        return
    files = plan.model_files(model)
    check_disk(plan, files, next(p for p in (runs.resolve(), *runs.resolve().parents) if p.exists()), count)
    tokenizer = _tokenizer(files)
    if tokenizer is None:
        return
    for part in heldout:
        where = f"evaluation.heldout {part.name!r}"
        check_context(_lengths(tokenizer, part.tasks), part.sampling.max_tokens, files, where)
    spread = pool.subjects[:: max(1, len(pool.subjects) // SPREAD)]
    lengths = _lengths(tokenizer, [pool.source(subject).draw(subject, 0) for subject in spread])
    if any(map(plan.measures_before, plan.recipe.stages)):
        check_context(lengths, plan.recipe.difficulty.max_tokens, files, "difficulty")
    for stage in plan.recipe.stages:
        if stage.kind == "rl":
            check_context(lengths, stage.rollout.max_tokens, files, f"stages {stage.name!r}, rollout")


def prompt_lengths(files: ModelFiles, tasks: Sequence[Task]) -> Mapping[str, int]:
    """Tokens of each task's prompt without its chat template; empty where they cannot be counted cheaply."""
    tokenizer = _tokenizer(files)
    return {} if tokenizer is None else _lengths(tokenizer, tasks)


def preflight_all(plans: Sequence[Plan], runs: Path) -> None:
    """Check one plan of each arm; seeds do not differ in what is checked."""
    seen = set()
    for plan in plans:
        if plan.arm.name not in seen:
            seen.add(plan.arm.name)
            preflight(plan, runs, len(plans))


def _tokenizer(files: ModelFiles) -> Any:
    path = files.path / "tokenizer.json"
    if not path.is_file():
        return None
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError:
        return None
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001 - tokenizers raises bare Exception for a damaged file
        raise RecipeError(f"the tokenizer cannot be read: {error}", where=str(path)) from None


def _lengths(tokenizer: Any, tasks: Sequence[Task]) -> Mapping[str, int]:
    texts = ["".join(message.content for message in task.prompt) for task in tasks]
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    return {task.id: len(e.ids) for task, e in zip(tasks, encoded, strict=True)}
