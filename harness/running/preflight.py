"""What can be refused with the model's files at hand, still before a model is loaded.

Prompt lengths are counted with the `tokenizers` library alone, on held-out tasks and on a spread of
training tasks. A chat template adds tokens to what is counted here, so a refusal is always right; the
engine counts exactly before the first evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from harness.contract.capabilities import ModelCapabilities, TrainerCapabilities
from harness.contract.errors import CapabilityError, RecipeError
from harness.contract.members import member
from harness.contract.protocols import ModelFiles
from harness.contract.records import Task
from harness.evaluating.heldout import HeldoutSet
from harness.planning.plan import Plan, check_context, check_disk
from harness.running.parts import build_heldout, build_pool, verifier_specs
from harness.scoring.judgeable import refuse_unfit
from harness.scoring.spec import build
from harness.tasks.pool import TaskPool

#: Training tasks whose lengths are looked at.
SPREAD = 256
#: Finite training sets up to this size are held against the held-out tasks before a run.
FINITE = 50_000


def preflight(plan: Plan, runs: Path, count: int = 1) -> None:
    """Raise for a device that is not here, for answers that cannot be judged, for prompts beyond the
    context, and for checkpoints beyond the disk, of which `count` runs share it.

    Models whose loader must fetch or convert first (no capability `local`, or an attribute `local` that is
    false) are looked at by the run.
    """
    check_device(plan)
    heldout = build_heldout(plan)
    pool = build_pool(plan, heldout)
    pool.check_disjoint(FINITE)
    _check_answers(plan, pool, heldout)
    loader = plan.find("models", plan.recipe.model.loader, "model.loader")
    if not loader.able(ModelCapabilities).local:
        return
    model = plan.build("models", plan.recipe.model.loader, "model.loader")
    if not member("models", model, "local"):
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


def check_device(plan: Plan) -> None:
    """Raise CapabilityError for `cuda` if torch sees no GPU and the trainer computes in this process.

    A trainer with the capability `nodes` may find its GPUs on other machines, so it is not asked here.
    """
    trainer = plan.find("trainers", plan.recipe.trainer, "trainer")
    own = plan.recipe.trainer.options.get("device")
    if (own or plan.recipe.resources.device) != "cuda" or trainer.able(TrainerCapabilities).nodes:
        return
    try:
        import torch
    except ModuleNotFoundError:
        return  # the trainer's missing extra is named when it is built
    if not torch.cuda.is_available():
        field = "trainer.device" if own else "resources.device"
        raise CapabilityError(
            'device = "cuda", but torch sees no GPU on this machine',
            where=f"{plan.file.path}, {field}",
            hint=f"plan and run where the GPU is, or --set {field}=cpu",
        )


def _check_answers(plan: Plan, pool: TaskPool, heldout: Sequence[HeldoutSet]) -> None:
    """Raise for tasks whose answers their verifiers could never judge."""
    specs = verifier_specs(plan, pool, heldout)
    verifiers = {name: build(spec, specs) for name, spec in specs.items()}
    held = ((None, task) for part in heldout for task in part.tasks)
    refuse_unfit(chain(pool.finite_tasks(), held), verifiers)


def prompt_lengths(files: ModelFiles, tasks: Sequence[Task]) -> Mapping[str, int]:
    """Tokens of each task's prompt without its chat template; empty if they cannot be counted cheaply."""
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
