"""Having a trainer's framework check what it would be given, stage by stage, without starting anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from harness.contract.members import member
from harness.planning.plan import Plan
from harness.recipe import Stage

#: Room for a prompt, in tokens, if the recipe does not say how long a context is: no model is opened.
PROMPT: Final = 2048


def dry_runs(plans: Sequence[Plan], write: Path | None) -> Iterator[str]:
    """Check each arm's stages; one line each.

    Args:
        write: a folder for the configurations, `<arm>-<stage>.json`; None keeps none.

    Raises:
        HarnessError: what the trainer or its framework refuses.
    """
    told = set()
    for plan in plans:
        if plan.arm.name in told:
            continue
        told.add(plan.arm.name)
        trainer = plan.build("trainers", plan.recipe.trainer, "trainer")
        check = member("trainers", trainer, "dry_run")
        for stage in plan.recipe.stages:
            if stage.kind not in ("rl", "sft"):
                continue
            settings = check(stage, plan.recipe.conventions, _context(plan, stage))
            if settings is None:
                name = plan.recipe.trainer.name
                yield f"arm {plan.arm.name}: trainer {name} has no configuration besides the recipe"
                break
            kept = ""
            if write is not None:
                write.mkdir(parents=True, exist_ok=True)
                path = write / f"{plan.arm.name}-{stage.name}.json"
                path.write_bytes(msgspec.json.format(msgspec.json.encode(settings)))
                kept = f", {path}"
            yield f"arm {plan.arm.name}, stage {stage.name}: checked, {_leaves(settings)} settings{kept}"
        else:
            if plan.recipe.model.context_length is None:
                yield (
                    f"arm {plan.arm.name}: model.context_length is not set, and no model was opened: checked "
                    f"with room for {PROMPT:,} tokens of prompt, if the run takes the model's own length"
                )
        trainer.close()


def _context(plan: Plan, stage: Stage) -> int:
    return plan.recipe.model.context_length or stage.rollout.max_tokens + PROMPT


def _leaves(value: object) -> int:
    if isinstance(value, dict):
        return sum(_leaves(inner) for inner in value.values())
    return 1
