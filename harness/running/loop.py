"""The core loop of one run: measure, select, train a stage, evaluate, go on.

It knows plugins only by their protocols. Everything it does is in the ledger as soon as it is done,
and each part first looks whether it is there already: running and resuming are one code path.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from harness.contract.protocols import Policy
from harness.contract.records import Checkpoint, PolicyRef
from harness.planning.plan import Plan
from harness.recipe import Stage
from harness.recording.history import check_unchanged
from harness.recording.spending import budget_reason
from harness.running.identity import environment, identity, now
from harness.running.labelling import label, refuse_nothing_selected, restore, select
from harness.running.parts import LEDGER_FILE, Parts
from harness.running.position import Position
from harness.running.stages import take_over, train

__all__ = ["LEDGER_FILE", "proceed", "run"]


def run(plan: Plan, folder: Path) -> None:
    """Do one arm with one seed, from the start or from where it stopped.

    Raises:
        LedgerError: the folder's run was started with another recipe, data, model, verifier or plugin.
        HarnessError: what the user can mend; the run can be resumed after that.
    """
    with ExitStack() as stack:
        proceed(Parts(plan, folder, stack))


def proceed(parts: Parts) -> None:
    """Do what the ledger of an opened run does not hold yet, lost samples of its evaluations included."""
    _open(parts)
    if _left(parts):
        _run(parts)


def _left(parts: Parts) -> bool:
    """Whether there is anything to do. Weights inside a stage are gone when it has gone on, but those before
    and after stages are there to be evaluated again."""
    history = parts.history
    return not history.finished or any(name != "inside" for name, *_ in history.refused)


def _open(parts: Parts) -> None:
    facts = identity(
        parts.plan, parts.info, parts.files, parts.pool, parts.scorer, parts.heldout, parts.imported
    )
    if parts.history.opened is None:
        parts.ledger.append("opened", **facts, environment=environment(), at=now())
    else:
        check_unchanged(parts.history.opened, facts, str(parts.folder), hint=_put_back(parts.folder))
        if _left(parts):
            parts.ledger.append("resumed", at=now())
    parts.ledger.commit()
    parts.events.emit("run_started", run=parts.info)


def _put_back(folder: Path) -> str:
    """The next step of a run whose recipe is not what it was, with the study's copy of it."""
    copy = folder.parent.parent / "recipe.toml"
    return f"put it back as it was (the recipe: {copy}), or start a new run" if copy.is_file() else ""


def _run(parts: Parts) -> None:
    at = Position(Policy(PolicyRef(weights_sha=parts.files.weights_sha), parts.files))
    parts.evaluate_policy("before", "", at.policy)
    last = ""
    for declared in parts.plan.recipe.stages:
        for stage in unrolled(declared):
            if budget_reason(parts.plan.recipe.budget, parts.spent, stage.rollout.n):
                break
            if not _stage(parts, stage, at, may_be_empty=declared.repeat != 1):
                break
            last = stage.name
    parts.evaluate_policy("final", last, at.policy, untrained=not at.trained)
    parts.ledger.append("finished", at=now(), policy=at.policy.ref, **parts.spent.as_fields())
    parts.ledger.commit()
    folder = at.policy.checkpoint
    path = str(folder.relative_to(parts.folder)) if folder else ""
    parts.events.emit("run_finished", run=parts.info, checkpoint=Checkpoint(policy=at.policy.ref, path=path))


def _stage(parts: Parts, stage: Stage, at: Position, *, may_be_empty: bool) -> bool:
    """Do one stage; False if there is nothing to do: the budget went into measuring, or a repeated
    stage finds nothing left to select, and it is the next stage's turn."""
    if stage.name in parts.history.stages:
        _skip(parts, stage, at)
    elif not _do(parts, stage, at, may_be_empty=may_be_empty):
        return False
    if stage.kind == "eval" or parts.plan.recipe.evaluation.each_stage:
        parts.evaluate_policy("after-stage", stage.name, at.policy, untrained=not at.trained)
    return True


def _do(parts: Parts, stage: Stage, at: Position, *, may_be_empty: bool) -> bool:
    label(parts, stage, at)
    if budget_reason(parts.plan.recipe.budget, parts.spent, stage.rollout.n):
        return False
    subjects = select(parts, stage, at)
    if not subjects:
        if not (may_be_empty and at.trained):
            refuse_nothing_selected(parts, stage, at)
        parts.ledger.append("note", stage=stage.name, text=f"no subject matches {stage.select!r} any more")
        return False
    if stage.kind in ("rl", "sft"):
        train(parts, stage, at, subjects)
    return True


def _skip(parts: Parts, stage: Stage, at: Position) -> None:
    """A finished stage of a resumed run: take over what it left behind."""
    line = parts.history.labels.get(stage.name)
    if line is not None:
        restore(parts, line, at)
    take_over(parts, stage, at, parts.history.stages[stage.name])


def unrolled(stage: Stage) -> Iterator[Stage]:
    """A stage as often as it is repeated, as `name-1`, `name-2`, ...; itself if it is not."""
    if stage.repeat == 1:
        yield stage
        return
    numbers = itertools.count(1) if stage.repeat == "budget" else range(1, stage.repeat + 1)
    for number in numbers:
        yield stage.model_copy(update={"name": f"{stage.name}-{number}", "repeat": 1})
