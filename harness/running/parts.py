"""Everything that one run holds open, built from its plan: tasks, verifiers, trainer, ledger.

Nothing here decides; the loop, the labelling and the training do, with these parts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from harness.contract.errors import TrainingError
from harness.contract.protocols import Engine, ModelFiles, Policy, RunInfo
from harness.contract.records import Checkpoint, Difficulty, Request, RolloutKey
from harness.contract.sessions import Trainer
from harness.evaluating.heldout import Evaluator, HeldoutSet, heldout_set
from harness.planning.capabilities import TRAINER_ENGINE
from harness.planning.plan import Plan, check_context, check_disk
from harness.plugging.events import EventFailure, Events, log_failure
from harness.plugging.plugins import local_file
from harness.recipe import Stage, Use
from harness.recording.checkpoints import CheckpointStore
from harness.recording.history import History, read_history
from harness.recording.ledger import Ledger
from harness.recording.spending import Spent
from harness.running.tracking import Tracking
from harness.scoring import Scorer, VerifierSpec
from harness.tasks.labels import load_labels
from harness.tasks.pool import TaskPool

LEDGER_FILE: Final = "ledger.jsonl"


class Parts:
    """One run's parts. `stack` closes them in the opposite order."""

    def __init__(self, plan: Plan, folder: Path, stack: ExitStack) -> None:
        recipe = plan.recipe
        self.folder = folder
        self.info: RunInfo = plan.info(folder)
        # Locked before it is read: what another process writes meanwhile would be missed.
        self.ledger = stack.enter_context(Ledger(folder / LEDGER_FILE))
        self.history: History = read_history(folder / LEDGER_FILE)
        self.files: ModelFiles = plan.model_files()
        #: Labels of other models, by the names that rules use.
        self.imported: dict[str, Mapping[str, Difficulty]] = {
            name: load_labels(name, file, plan.base) for name, file in recipe.difficulty.labels.items()
        }
        self.plan = replace(plan, initial=self.files, labels=self.imported)
        check_disk(plan, self.files, folder if folder.exists() else plan.base)
        self.heldout = build_heldout(self.plan)
        self.pool = build_pool(self.plan, self.heldout)
        self.scorer = stack.enter_context(_scorer(self.plan, self.pool, self.heldout))
        self.events = Events(plan.plugins.manager, self._report_failure)
        if recipe.report.trackers:
            self._track(stack)
        self.spent = Spent()
        self.trainer: Trainer = self.plan.build("trainers", recipe.trainer, "trainer")
        stack.callback(self.trainer.close)
        self._engine: Engine | None = None
        #: What the engine generates with.
        self._policy: Policy | None = None
        stack.callback(self._close_engine)
        self.evaluator = Evaluator(
            info=self.info,
            sets=self.heldout,
            scorer=self.scorer,
            ledger=self.ledger,
            spent=self.spent,
            keep_samples=recipe.detail == "sample",
            done=dict(self.history.evaluations),
            partial=self.history.samples,
            latest=self.history.latest,
        )
        keep = recipe.checkpoints
        self.checkpoints = CheckpointStore(folder, keep=keep.keep, min_free_gb=keep.min_free_gb)

    def engine(self, policy: Policy) -> Engine:
        """An engine with the policy's weights: the trainer's own, or the one that the recipe names."""
        recipe = self.plan.recipe
        if recipe.engine.name == TRAINER_ENGINE:
            engine = self.trainer.engine(policy)
            if engine is None:
                raise TrainingError(
                    f"trainer {recipe.trainer.name!r} has no engine",
                    where="engine",
                    hint='name one: engine = "transformers"',
                )
            return engine
        self._policy = policy
        if self._engine is None:
            plan = replace(self.plan, own_engine=self._own_engine)
            self._engine = plan.build("engines", recipe.engine, "engine")
        self._engine.sync_weights(policy)
        return self._engine

    def sampler(self, stage: Stage, own: Callable[[], Engine]) -> Engine | None:
        """The engine that a stage is sampled through, over the trainer's own; None if that is all."""
        if stage.rollout.engine.name == TRAINER_ENGINE:
            return None
        plan = replace(self.plan, own_engine=own)
        engine: Engine = plan.build("engines", stage.rollout.engine, f"stages {stage.name!r}, rollout.engine")
        return engine

    def evaluate(self, name: str, stage: str, step: int, engine: Engine) -> Mapping[str, float]:
        """Score all held-out sets with an engine's live weights."""
        if name == "before":
            self._check_context(engine)
        scores = self.evaluator.evaluate(name, stage, step, engine)
        self._evaluated(name, stage, step, scores)
        return scores

    def evaluate_policy(self, name: str, stage: str, policy: Policy, *, untrained: bool = False) -> None:
        """Evaluate, unless the ledger has it already, be it under another name: all evaluations of an
        `untrained` policy are of the same one. What lost samples before is asked again for those."""
        step, evaluator = policy.ref.step, self.evaluator
        if evaluator.is_done(name, stage, step):
            return
        evaluator.repeat(name, stage, step, untrained=untrained)
        if evaluator.is_done(name, stage, step):
            self._evaluated(name, stage, step, evaluator.scores(name, stage, step))
        else:
            self.evaluate(name, stage, step, self.engine(policy))

    def _evaluated(self, name: str, stage: str, step: int, scores: Mapping[str, float]) -> None:
        self.events.emit(
            "evaluation_finished", run=self.info, name=name, scores=scores, stage=stage, step=step
        )

    def policy(self, checkpoint: Checkpoint) -> Policy:
        """The policy of a checkpoint of this run."""
        folder = self.folder / checkpoint.path
        files = ModelFiles(
            folder / "model", checkpoint.policy.weights_sha, self.files.context_length, self.files.chat
        )
        return Policy(checkpoint.policy, files, folder)

    def restore_spent(self, line: Mapping[str, Any]) -> None:
        """Take over the cost that a ledger line carries."""
        self.spent.restore(Spent.of(line))

    def _check_context(self, engine: Engine) -> None:
        for heldout in self.heldout:
            lengths = {
                task.id: engine.prompt_tokens(
                    Request(RolloutKey("", "eval", "", 0, task.id, 0), task.prompt, heldout.sampling)
                )
                for task in heldout.tasks
            }
            where = f"evaluation.heldout {heldout.name!r}"
            check_context(lengths, heldout.sampling.max_tokens, self.files, where)

    def _track(self, stack: ExitStack) -> None:
        """Have the recipe's trackers hear of the run until it ends."""
        tracking = Tracking(self.plan, self.info, self.history, self.ledger)
        manager = self.plan.plugins.manager
        manager.register(tracking)
        stack.callback(tracking.close)
        stack.callback(manager.unregister, tracking)

    def _own_engine(self) -> Engine:
        """The trainer's own engine with the policy that is measured or evaluated, for one that wraps it."""
        assert self._policy is not None
        engine = self.trainer.engine(self._policy)
        assert engine is not None, "the plan asks for a trainer with an engine"
        return engine

    def _close_engine(self) -> None:
        if self._engine is not None:
            self._engine.close()

    def _report_failure(self, failure: EventFailure) -> None:
        log_failure(failure)
        if failure.times <= 3:
            self.ledger.append(
                "plugin_failed", event=failure.event, plugin=failure.plugin, reason=failure.reason
            )


def build_heldout(plan: Plan) -> list[HeldoutSet]:
    """The recipe's held-out sets."""
    sets = []
    for options in plan.heldout:
        where = f"evaluation.heldout {options.name!r}"
        sources = [plan.build("task_sources", use, where) for use in options.tasks]
        sets.append(heldout_set(options, sources, plan.recipe.verifier.name))
    return sets


def build_pool(plan: Plan, heldout: Sequence[HeldoutSet]) -> TaskPool:
    """The recipe's training tasks, which are never the held-out ones."""
    tasks = plan.recipe.tasks
    return TaskPool(
        [plan.build("task_sources", use, f"tasks.train.{i}") for i, use in enumerate(tasks.train)],
        filters=[
            plan.build("task_filters", use, f"tasks.filters.{i}") for i, use in enumerate(tasks.filters)
        ],
        heldout=set().union(*(h.prompt_hashes for h in heldout)),
        verifier=plan.recipe.verifier.name,
    )


def _scorer(plan: Plan, pool: TaskPool, heldout: Sequence[HeldoutSet]) -> Scorer:
    return Scorer(verifier_specs(plan, pool, heldout), workers=max(1, os.cpu_count() or 1))


def verifier_specs(plan: Plan, pool: TaskPool, heldout: Sequence[HeldoutSet]) -> dict[str, VerifierSpec]:
    """Every verifier that the recipe or a task names."""
    recipe = plan.recipe
    named = pool.verifiers() | {task.verifier for part in heldout for task in part.tasks}
    named |= set(recipe.verifiers)
    options = {recipe.verifier.name: recipe.verifier.options} | dict(recipe.verifiers)
    specs = {}
    for name in sorted(named - {""} | {recipe.verifier.name}):
        registration = plan.find("verifiers", Use(name=name), "verifier")
        specs[name] = VerifierSpec.of(
            registration, options.get(name), context=plan.context, file=local_file(plan.file.path)
        )
    return specs
