"""Training one stage: a session for the trainer, from the start or from its last checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.contract.errors import TrainingError
from harness.contract.records import Checkpoint, convert
from harness.recipe import Stage
from harness.recording.checkpoints import CheckpointStore
from harness.running.parts import Parts
from harness.running.position import Position
from harness.training.judging import StageParts
from harness.training.session import RunParts, StageSession
from harness.training.state import carried, inherit
from harness.training.watchdog import Watchdog


def train(parts: Parts, stage: Stage, at: Position, subjects: list[str]) -> None:
    """Train the stage to its end and hand its policy to `at`.

    Raises:
        TrainingError: as the trainer or the session found, or the trainer left no checkpoint.
    """
    session = _session(parts, stage, at, subjects)
    last = parts.history.checkpoints.get(stage.name)
    if last is not None or stage.name in parts.history.started:
        step = last["step"] if last else 0
        parts.ledger.append("rewound", stage=stage.name, step=step)
        parts.evaluator.forget_after(stage.name, step)
    if last is not None:
        checkpoint = convert(last["checkpoint"], Checkpoint)
        session.load_state_dict(parts.checkpoints.session_state(checkpoint.path))
        session.last_checkpoint = checkpoint
        at.policy = parts.policy(checkpoint)
    if stage.name not in parts.history.started:
        parts.ledger.append(
            "stage_started",
            stage=stage.name,
            options=stage.model_dump(mode="json"),
            subjects=subjects,
            rule=stage.select,
            spent_rollouts=parts.spent.rollouts,
        )
        parts.ledger.commit()
    parts.events.emit("stage_started", run=parts.info, stage=stage)
    # A run that was killed between a stage's last checkpoint and its end has nothing left to train.
    reason = session.stop_reason() if session.first_step else None
    if reason is None:
        resources = parts.plan.recipe.resources
        with Watchdog(
            f"stage {stage.name!r}",
            stage_seconds=resources.stage_seconds,
            stall_seconds=resources.stall_seconds,
        ) as watchdog:
            session.progress = watchdog.progress
            parts.trainer.train(stage, at.policy, session)
        reason = session.stop_reason() or "the trainer ended the stage"
    finish(parts, stage, at, session, reason)


def finish(parts: Parts, stage: Stage, at: Position, session: StageSession, reason: str) -> None:
    """Record the end of a stage and take over what it leaves."""
    saved = session.last_checkpoint
    if saved is None or not saved.path.endswith(CheckpointStore.name(stage.name, session.steps_done)):
        raise TrainingError(
            f"trainer {parts.plan.recipe.trainer.name!r} ended stage {stage.name!r} at step "
            f"{session.steps_done} without a checkpoint of it"
        )
    ended = {"checkpoint": saved, "pool": parts.pool.state_dict(), **parts.spent.as_fields()}
    parts.ledger.append("stage_finished", stage=stage.name, reason=reason, step=session.steps_done, **ended)
    parts.ledger.commit()
    parts.events.emit("stage_finished", run=parts.info, stage=stage, reason=reason, checkpoint=saved)
    take_over(parts, stage, at, ended)


def take_over(parts: Parts, stage: Stage, at: Position, ended: Mapping[str, Any]) -> None:
    """What the next stage inherits from a finished one, read from its checkpoint, resumed or not.

    Its place and cost are those of its end (`ended`, the ledger's line): a last step of which no group
    was kept comes after the last checkpoint, and was paid for.
    """
    checkpoint = convert(ended["checkpoint"], Checkpoint)
    state = parts.checkpoints.session_state(checkpoint.path)
    parts.pool.load_state_dict(ended["pool"])
    parts.restore_spent(ended)
    at.carried |= carried(stage, state["parts"])
    at.outcomes = {k: (float(v[0]), float(v[1])) for k, v in state["outcomes"].items()}
    at.policy = parts.policy(checkpoint)
    at.trained = True


def _session(parts: Parts, stage: Stage, at: Position, subjects: list[str]) -> StageSession:
    plan, recipe = parts.plan, parts.plan.recipe
    where = f"stages {stage.name!r}"
    beside = {
        use.name: plan.build("rewards", use, f"{where}, reward_metrics") for use in stage.reward_metrics
    }
    objects = StageParts(
        plan.build("curricula", stage.curriculum, f"{where}, curriculum"),
        plan.build("rewards", stage.reward, f"{where}, reward"),
        [plan.build("gates", use, f"{where}, gates") for use in stage.gates],
        [plan.build("shapers", use, f"{where}, shapers") for use in stage.shapers],
        beside,
    )
    inherit(objects, stage, at.carried)
    common = RunParts(
        info=parts.info,
        ledger=parts.ledger,
        events=parts.events,
        scorer=parts.scorer,
        pool=parts.pool,
        spent=parts.spent,
        budget=recipe.budget,
        checkpoints=parts.checkpoints,
        checkpoint_every=recipe.checkpoints.every_steps,
        evaluate_every=recipe.evaluation.every_steps,
        detail=recipe.detail,
        reuse=recipe.difficulty.reuse,
        evaluate=parts.evaluate,
        evaluation_requests=parts.evaluator.requests,
        sampler=parts.sampler,
    )
    return StageSession(common, stage, recipe.conventions, objects, subjects, at.labels)
