"""Everything that one run holds open, built from its plan: tasks, verifiers, trainer, ledger.

Nothing here decides; the loop, the labelling and the training do, with these parts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from harness.capabilities import TRAINER_ENGINE
from harness.checkpoints import CheckpointStore
from harness.errors import TrainingError
from harness.evaluation import Evaluator, HeldoutSet, heldout_set
from harness.events import EventFailure, Events, log_failure
from harness.history import History, read_history
from harness.labels import load_labels
from harness.ledger import Ledger
from harness.plan import Plan, check_context, check_disk
from harness.plugins import local_file
from harness.pool import TaskPool
from harness.protocols import Engine, ModelFiles, Policy, RunInfo, Trainer
from harness.recipe import Use
from harness.records import Checkpoint, Difficulty, Request, RolloutKey
from harness.scoring import Scorer, VerifierSpec
from harness.spending import Spent

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
        self.plan = replace(plan, initial=self.files)
        check_disk(plan, self.files, folder if folder.exists() else plan.base)
        self.heldout = build_heldout(self.plan)
        self.pool = build_pool(self.plan, self.heldout)
        self.scorer = stack.enter_context(_scorer(self.plan, self.pool, self.heldout))
        self.events = Events(plan.plugins.manager, self._report_failure)
        self.spent = Spent()
        self.trainer: Trainer = self.plan.build("trainers", recipe.trainer, "trainer")
        stack.callback(self.trainer.close)
        self._engine: Engine | None = None
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
        )
        keep = recipe.checkpoints
        self.checkpoints = CheckpointStore(folder, keep=keep.keep, min_free_gb=keep.min_free_gb)
        #: Labels of other models, by the names that rules use.
        self.imported: dict[str, Mapping[str, Difficulty]] = {
            name: load_labels(name, file, plan.base) for name, file in recipe.difficulty.labels.items()
        }

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
        if self._engine is None:
            self._engine = self.plan.build("engines", recipe.engine, "engine")
        self._engine.sync_weights(policy)
        return self._engine

    def evaluate(self, name: str, stage: str, step: int, engine: Engine) -> Mapping[str, float]:
        """Score all held-out sets with an engine's live weights."""
        if name == "before":
            self._check_context(engine)
        scores = self.evaluator.evaluate(name, stage, step, engine)
        self.events.emit("evaluation_finished", run=self.info, name=name, scores=scores)
        return scores

    def evaluate_policy(self, name: str, stage: str, policy: Policy) -> None:
        """Evaluate, unless the ledger has it already."""
        step = policy.ref.step
        if any((name, h.name, stage, step) not in self.evaluator.done for h in self.heldout):
            self.evaluate(name, stage, step, self.engine(policy))

    def policy(self, checkpoint: Checkpoint) -> Policy:
        """The policy of a checkpoint of this run."""
        folder = self.folder / checkpoint.path
        files = ModelFiles(
            folder / "model", checkpoint.policy.weights_sha, self.files.context_length, self.files.chat
        )
        return Policy(checkpoint.policy, files, folder)

    def restore_spent(self, line: Mapping[str, Any]) -> None:
        """Take over the cost that a ledger line carries."""
        self.spent.rollouts, self.spent.tokens = line["spent_rollouts"], line["spent_tokens"]
        self.spent.cpu_seconds = line["spent_cpu_seconds"]

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
    """A scorer with every verifier that the recipe or a task names."""
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
    return Scorer(specs, workers=max(1, os.cpu_count() or 1))
