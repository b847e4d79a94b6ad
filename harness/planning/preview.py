"""A plan in words: what each arm would do, with what, for how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.contract.errors import counted
from harness.planning.plan import Plan
from harness.recipe import Conventions, Stage


def preview(plans: Sequence[Plan]) -> Iterator[str]:
    """A few lines for each arm; seeds of one arm are told once."""
    seeds: dict[str, list[int]] = {}
    for plan in plans:
        seeds.setdefault(plan.arm.name, []).append(plan.seed)
    first = plans[0]
    yield f"{first.file.path}: {counted(len(plans), 'run')}, recipe {first.file.sha}"
    told = set()
    for plan in plans:
        if plan.arm.name in told:
            continue
        told.add(plan.arm.name)
        recipe = plan.recipe
        about = f": {plan.arm.about}" if plan.arm.about else ""
        yield f"\narm {plan.arm.name} (seeds {', '.join(map(str, seeds[plan.arm.name]))}){about}"
        lora = recipe.model.lora
        adapters = f" with LoRA of rank {lora.rank}" if lora else ""
        yield (
            f"  model {recipe.model.name}{adapters}, trainer {recipe.trainer.name}, "
            f"verifier {recipe.verifier.name}, engine {recipe.engine.name}"
        )
        budget = [
            f"{value:,} {name}"
            for name, value in (("rollouts", recipe.budget.rollouts), ("tokens", recipe.budget.tokens))
            if value
        ]
        yield f"  budget {' and '.join(budget) or 'unbounded'}, difficulty measurement included"
        for stage in recipe.stages:
            yield f"  stage {_stage(stage)}"
            if stage.kind == "rl":
                yield f"    {_learning(stage, recipe.conventions)}"
        for heldout in recipe.evaluation.heldout:
            if heldout not in plan.heldout:
                yield f"  left out: {heldout.name}, for HARNESS_DATA is not set"
                continue
            every = recipe.evaluation.every_steps
            yield f"  held out: {heldout.name}, {counted(heldout.samples, 'sample')} a task" + (
                f", every {every} steps" if every else ""
            )


def _learning(stage: Stage, conventions: Conventions) -> str:
    """What becomes of a stage's verdicts: reward, shapers, gates, loss."""
    loss, parts = stage.loss, [f"reward {stage.reward.name}"]
    parts += [f"shaper {use.name}" for use in stage.shapers]
    parts += [f"gate {use.name}" for use in stage.gates]
    parts.append(f"clip {1 - loss.clip_low:g} to {1 + loss.clip_high:g}")
    parts.append(f"kl {loss.kl:g}" + (f" ({conventions.kl_estimator})" if loss.kl else ""))
    parts.append(f"entropy {loss.entropy:g}")
    if loss.mask_truncated:
        parts.append("cut completions masked")
    parts += [f"loss term {use.name}" for use in loss.terms]
    return ", ".join(parts)


def _stage(stage: Stage) -> str:
    rollout = stage.rollout
    trains = stage.kind in ("rl", "sft")
    parts = [f"{stage.name} ({stage.kind})" + (f": curriculum {stage.curriculum.name}" if trains else "")]
    if stage.reestimate:
        parts.append("measured anew")
    if stage.select:
        parts.append(f"where {stage.select}")
    if stage.kind == "rl":
        parts.append(f"{rollout.batch} x {rollout.n} rollouts of {rollout.max_tokens} tokens per step")
    elif stage.kind == "sft":
        parts.append(f"{counted(rollout.batch, 'written answer')} a step")
    if trains:
        parts.append(f"lr {stage.optimizer.lr:g}")
    for name, value in stage.until.model_dump(exclude_none=True).items():
        parts.append(f"until {counted(value, name[:-1])}")
    if stage.max_steps:
        parts.append(f"at most {counted(stage.max_steps, 'step')}")
    if stage.repeat != 1:
        often = "until the budget is spent" if stage.repeat == "budget" else counted(stage.repeat, "time")
        parts.append(f"repeated {often}")
    return ", ".join(parts)
