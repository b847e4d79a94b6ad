"""The core loop of one run: measure, select, train a stage, evaluate, go on; report what was done.

It knows plugins only by their protocols. Everything it does is in the ledger as soon as it is done,
and each part first looks whether it is there already: running and resuming are one code path.
"""

from __future__ import annotations

import datetime
import itertools
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import harness
from harness.checkpoints import CheckpointStore
from harness.difficulty import LabelStore, Measurement, Outcomes, from_training, measure, outcomes_from
from harness.errors import TrainingError
from harness.evaluation import Evaluator, HeldoutSet, heldout_set
from harness.events import EventFailure, Events, log_failure
from harness.history import History, check_unchanged, read_history
from harness.labels import load_labels
from harness.ledger import SCHEMA, Ledger
from harness.plan import TRAINER_ENGINE, Plan, check_context, check_disk
from harness.plugins import local_file
from harness.pool import TaskPool
from harness.protocols import Engine, ModelFiles, Policy, RunInfo, Trainer
from harness.recipe import Stage, Use
from harness.records import Checkpoint, Difficulty, PolicyRef, Request, RolloutKey, Sampling, convert
from harness.scoring import Scorer, VerifierSpec
from harness.selection import POLICY, Rule
from harness.session import RunParts, StageParts, StageSession
from harness.spending import Spent, budget_reason, remaining_rollouts

LEDGER_FILE = "ledger.jsonl"


def run(plan: Plan, folder: Path) -> None:
    """Do one arm with one seed, from the start or from where it stopped.

    Raises:
        LedgerError: the folder's run was started with another recipe, data, model or verifier.
        HarnessError: what the user can mend; the run can be resumed after that.
    """
    with ExitStack() as stack:
        Loop(plan, folder, stack).run()


@dataclass(slots=True)
class _Position:
    """The policy in training, and what the next stage inherits."""

    policy: Policy
    #: Decayed outcomes of the last stage's training, by subject.
    outcomes: dict[str, tuple[float, float]]
    #: State of each curriculum by its reference, so that a repeated stage goes on with it.
    curricula: dict[str, dict[str, Any]]
    labels: dict[str, Difficulty]
    trained: bool = False


class Loop:
    """One run with everything it holds open."""

    def __init__(self, plan: Plan, folder: Path, stack: ExitStack) -> None:
        recipe = plan.recipe
        self.folder = folder
        self.info: RunInfo = plan.info(folder)
        self.history: History = read_history(folder / LEDGER_FILE)
        self.files: ModelFiles = plan.build("models", recipe.model.loader, "model").load()
        self.plan = plan = replace(plan, initial=self.files)
        check_disk(plan, self.files, folder if folder.exists() else plan.base)
        self.heldout = self._heldout()
        self.pool = self._pool()
        self.scorer = stack.enter_context(self._scorer())
        self.ledger = stack.enter_context(Ledger(folder / LEDGER_FILE))
        self.events = Events(plan.plugins.manager, self._report_failure)
        self.spent = Spent()
        self.trainer: Trainer = plan.build("trainers", recipe.trainer, "trainer")
        stack.callback(self.trainer.close)
        self._engine: Engine | None = None
        stack.callback(lambda: self._engine.close() if self._engine else None)
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
        self.labels_of: dict[str, Mapping[str, Difficulty]] = {
            name: load_labels(name, file, plan.base) for name, file in recipe.difficulty.labels.items()
        }

    # The run --------------------------------------------------------------------------------------

    def run(self) -> None:
        self._open()
        if self.history.finished:
            return
        base = Policy(PolicyRef(weights_sha=self.files.weights_sha), self.files)
        at = _Position(base, {}, {}, {})
        self._evaluate("before", "", 0, at.policy)
        last = ""
        for stage, repeats in _sequence(self.plan.recipe.stages):
            if budget_reason(self.plan.recipe.budget, self.spent, stage.rollout.n):
                break
            if not self._stage(stage, at, may_be_empty=repeats):
                break
            last = stage.name
        self._evaluate("final", last, at.policy.ref.step, at.policy)
        self.ledger.append("finished", at=_now(), policy=at.policy.ref, **self.spent.fields())
        self.ledger.commit()
        checkpoint = Checkpoint(policy=at.policy.ref, path=self._relative(at.policy))
        self.events.emit("run_finished", run=self.info, checkpoint=checkpoint)

    def _stage(self, stage: Stage, at: _Position, *, may_be_empty: bool) -> bool:
        """Do one stage; False when a repeated stage finds nothing left to select."""
        if stage.name in self.history.stages:
            self._skip(stage, at)
        elif not self._do(stage, at, may_be_empty=may_be_empty):
            return False
        if stage.kind == "eval" or self.plan.recipe.evaluation.each_stage:
            self._evaluate("after-stage", stage.name, at.policy.ref.step, at.policy)
        return True

    def _do(self, stage: Stage, at: _Position, *, may_be_empty: bool) -> bool:
        self._label(stage, at)
        subjects = self._select(stage, at)
        if not subjects:
            if may_be_empty and at.trained:
                self.ledger.append(
                    "note", stage=stage.name, text=f"no subject matches {stage.select!r} any more"
                )
                return False
            raise TrainingError(
                f"the rule {stage.select!r} selects none of {len(self.pool.subjects)} subjects"
                f"{_rates(at.labels)}",
                where=f"stage {stage.name!r}",
                hint="widen the rule, or add tasks that the policy solves sometimes",
            )
        if stage.kind in ("rl", "sft"):
            self._train(stage, at, subjects)
        return True

    def _skip(self, stage: Stage, at: _Position) -> None:
        """A finished stage of a resumed run: take over what it left behind."""
        line = self.history.labels.get(stage.name)
        if line is not None:
            self._restore_labels(line, at)
        checkpoint = self.history.checkpoints.get(stage.name)
        if checkpoint is not None:
            self._take_over(stage, at, convert(checkpoint["checkpoint"], Checkpoint))

    # Measuring and selecting ----------------------------------------------------------------------

    def _label(self, stage: Stage, at: _Position) -> None:
        """Measure the policy when the stage asks for it, or when a rule needs labels and there are none."""
        line = self.history.labels.get(stage.name)
        if line is not None:
            self._restore_labels(line, at)
            return
        needed = stage.kind == "label" or stage.reestimate or (not at.labels and self._needs_labels(stage))
        if not needed:
            return
        recipe = self.plan.recipe
        options = recipe.difficulty
        sampling = Sampling(
            temperature=options.temperature, top_p=options.top_p, max_tokens=options.max_tokens
        )
        verifier_hash = self.scorer.hashes().get(recipe.verifier.name, "")
        store = LabelStore(self.plan.base / options.store) if options.store else None
        outcomes = Outcomes(0, from_training(at.outcomes, at.policy.ref, sampling, verifier_hash))
        if store is not None:
            outcomes.labels |= store.load(at.policy.ref, sampling, verifier_hash)
        before = self.spent.copy()
        interrupted = self.history.rounds.get(stage.name)
        if interrupted is not None:
            outcomes = outcomes_from(interrupted)
            self.pool.load_state_dict(interrupted["pool"])
            self._restore_spent(interrupted)
        labels = measure(
            Measurement(
                info=self.info,
                estimator=self.plan.build("difficulty_estimators", options.estimator, "difficulty.estimator"),
                engine=self._engine_for(at.policy),
                pool=self.pool,
                scorer=self.scorer,
                ledger=self.ledger,
                spent=self.spent,
                sampling=sampling,
                policy=at.policy.ref,
                verifier_hash=verifier_hash,
                stage=stage.name,
                limit=remaining_rollouts(recipe.budget, self.spent),
            ),
            self.pool.subjects,
            outcomes,
        )
        cost = self.spent.since(before)
        self.ledger.append(
            "labels",
            stage=stage.name,
            labels=list(labels.values()),
            rollouts=cost.rollouts,
            tokens=cost.tokens,
            cpu_seconds=cost.cpu_seconds,
            pool=self.pool.state_dict(),
            **self.spent.fields(),
        )
        self.ledger.commit()
        if store is not None:
            store.add({k: v for k, v in labels.items() if v.criterion != "training"})
        at.labels = labels
        self.events.emit(
            "difficulty_measured", run=self.info, stage=stage.name, labels=tuple(labels.values())
        )

    def _needs_labels(self, stage: Stage) -> bool:
        difficulty = self.plan.recipe.difficulty
        rules = [text for text in (stage.select, difficulty.discard, *difficulty.tags.values()) if text]
        curriculum = self.plan.find("curricula", stage.curriculum, "curriculum")
        return bool(curriculum.capabilities.get("needs_labels")) or any(Rule(r).needs_labels for r in rules)

    def _select(self, stage: Stage, at: _Position) -> list[str]:
        """The stage's subjects; written to the ledger with the rule that chose them."""
        recipe = self.plan.recipe
        labels = {**self.labels_of, POLICY: at.labels}
        self.pool.tag({name: Rule(text) for name, text in recipe.difficulty.tags.items()}, labels)
        subjects = self.pool.subjects
        if recipe.difficulty.discard:
            dropped = set(self.pool.select(Rule(recipe.difficulty.discard), labels, subjects))
            subjects = [s for s in subjects if s not in dropped]
        if stage.select:
            rule = Rule(stage.select, where=f"stages {stage.name!r}, select")
            subjects = self.pool.select(rule, labels, subjects)
        return list(subjects)

    # Training -------------------------------------------------------------------------------------

    def _train(self, stage: Stage, at: _Position, subjects: list[str]) -> None:
        plan, recipe = self.plan, self.plan.recipe
        where = f"stages {stage.name!r}"
        parts = StageParts(
            plan.build("curricula", stage.curriculum, f"{where}, curriculum"),
            [plan.build("gates", use, f"{where}, gates") for use in stage.gates],
            [plan.build("shapers", use, f"{where}, shapers") for use in stage.shapers],
        )
        carried = at.curricula.get(_key(stage))
        if carried is not None:
            parts.curriculum.load_state_dict(carried)
        common = RunParts(
            info=self.info,
            ledger=self.ledger,
            events=self.events,
            scorer=self.scorer,
            pool=self.pool,
            spent=self.spent,
            budget=recipe.budget,
            checkpoints=self.checkpoints,
            checkpoint_every=recipe.checkpoints.every_steps,
            evaluate_every=recipe.evaluation.every_steps,
            keep_rollouts=recipe.detail == "sample",
            reuse=recipe.difficulty.reuse,
            evaluate=self._evaluate_live,
            evaluation_requests=self.evaluator.requests,
        )
        session = StageSession(common, stage, recipe.conventions, parts, subjects, at.labels)
        last = self.history.checkpoints.get(stage.name)
        if stage.name in self.history.steps or last is not None:
            step = last["step"] if last else 0
            self.ledger.append("rewound", stage=stage.name, step=step)
            self.evaluator.forget_after(stage.name, step)
        if last is not None:
            checkpoint = convert(last["checkpoint"], Checkpoint)
            session.load_state_dict(self.checkpoints.session_state(checkpoint.path))
            session.last_checkpoint = checkpoint
            at.policy = self._policy(checkpoint)
        if stage.name not in self.history.started:
            self.ledger.append(
                "stage_started", stage=stage.name, options=stage.model_dump(mode="json"), subjects=subjects,
                rule=stage.select, spent_rollouts=self.spent.rollouts,
            )  # fmt: skip
            self.ledger.commit()
        self.events.emit("stage_started", run=self.info, stage=stage)
        reason = session.stop_reason() if session.first_step else None
        if reason is None:
            at.policy = self.trainer.train(stage, at.policy, session)
            reason = session.stop_reason() or "the trainer ended the stage"
        saved = session.last_checkpoint
        if saved is None or not saved.path.endswith(CheckpointStore.name(stage.name, session.steps_done)):
            raise TrainingError(
                f"trainer {recipe.trainer.name!r} ended stage {stage.name!r} at step {session.steps_done} "
                "without a checkpoint of it"
            )
        self.ledger.append(
            "stage_finished", stage=stage.name, reason=reason, step=session.steps_done, checkpoint=saved,
            **self.spent.fields(),
        )  # fmt: skip
        self.ledger.commit()
        self.events.emit("stage_finished", run=self.info, stage=stage, reason=reason, checkpoint=saved)
        self._take_over(stage, at, saved)

    def _take_over(self, stage: Stage, at: _Position, checkpoint: Checkpoint) -> None:
        """What the next stage inherits from a finished one: read from its checkpoint, resumed or not."""
        state = self.checkpoints.session_state(checkpoint.path)
        self.pool.load_state_dict(state["pool"])
        spent = convert(state["spent"], Spent)
        self.spent.rollouts, self.spent.tokens = spent.rollouts, spent.tokens
        self.spent.cpu_seconds = spent.cpu_seconds
        at.curricula[_key(stage)] = state["curriculum"]
        at.outcomes = {k: (float(v[0]), float(v[1])) for k, v in state["outcomes"].items()}
        at.policy = self._policy(checkpoint)
        at.trained = True

    # Engines, evaluation, policies ------------------------------------------------------------------

    def _engine_for(self, policy: Policy) -> Engine:
        recipe = self.plan.recipe
        if recipe.engine.name == TRAINER_ENGINE:
            engine = self.trainer.engine(policy)
            if engine is None:
                raise TrainingError(
                    f"trainer {recipe.trainer.name!r} has no engine",
                    where="engine",
                    hint='engine = "transformers"',
                )
            return engine
        if self._engine is None:
            self._engine = self.plan.build("engines", recipe.engine, "engine")
        self._engine.sync_weights(policy)
        return self._engine

    def _evaluate(self, name: str, stage: str, step: int, policy: Policy) -> None:
        missing = [h for h in self.heldout if (name, h.name, stage, step) not in self.evaluator.done]
        if missing:
            self._evaluate_live(name, stage, step, self._engine_for(policy))

    def _evaluate_live(self, name: str, stage: str, step: int, engine: Engine) -> Mapping[str, float]:
        if name == "before":
            self._check_context(engine)
        scores = self.evaluator.evaluate(name, stage, step, engine)
        self.events.emit("evaluation_finished", run=self.info, name=name, scores=scores)
        return scores

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

    def _policy(self, checkpoint: Checkpoint) -> Policy:
        folder = self.folder / checkpoint.path
        files = ModelFiles(
            folder / "model", checkpoint.policy.weights_sha, self.files.context_length, self.files.chat
        )
        return Policy(checkpoint.policy, files, folder)

    def _relative(self, policy: Policy) -> str:
        return str(policy.checkpoint.relative_to(self.folder)) if policy.checkpoint else ""

    # Opening --------------------------------------------------------------------------------------

    def _open(self) -> None:
        now = self._identity()
        if self.history.opened is None:
            self.ledger.append("opened", **now, environment=_environment(), at=_now())
        else:
            check_unchanged(self.history.opened, now, str(self.folder))
            if not self.history.finished:
                self.ledger.append("resumed", at=_now())
        self.ledger.commit()
        self.events.emit("run_started", run=self.info)

    def _identity(self) -> dict[str, Any]:
        plan = self.plan
        return {
            "schema": SCHEMA,
            "run": {"recipe": plan.recipe.name, "arm": plan.arm.name, "seed": plan.seed},
            "recipe": plan.recipe.model_dump(mode="json", exclude={"about", "report", "arms", "seeds"}),
            "recipe_sha": plan.file.sha,
            "data_sha": self.pool.fingerprint(),
            "seed": plan.seed,
            "stream": self.info.stream,
            "harness": harness.__version__,
            "plugins": [
                {"name": s.full_name, "distribution": s.distribution, "version": s.version}
                for s in plan.plugins.statuses
                if s.state in ("ok", "missing-extra")
            ],
            "verifiers": self.scorer.hashes(),
            "model": {
                "name": plan.recipe.model.name,
                "weights_sha": self.files.weights_sha,
                "context_length": self.files.context_length,
            },
        }

    def _heldout(self) -> list[HeldoutSet]:
        plan = self.plan
        return [
            heldout_set(
                options,
                [
                    plan.build("task_sources", use, f"evaluation.heldout {options.name!r}")
                    for use in options.tasks
                ],
                plan.recipe.verifier.name,
            )
            for options in plan.recipe.evaluation.heldout
        ]

    def _pool(self) -> TaskPool:
        plan, tasks = self.plan, self.plan.recipe.tasks
        return TaskPool(
            [plan.build("task_sources", use, f"tasks.train.{i}") for i, use in enumerate(tasks.train)],
            filters=[
                plan.build("task_filters", use, f"tasks.filters.{i}") for i, use in enumerate(tasks.filters)
            ],
            heldout=set().union(*(h.content_hashes for h in self.heldout)),
            verifier=plan.recipe.verifier.name,
        )

    def _scorer(self) -> Scorer:
        """A scorer with every verifier that the recipe or a task names."""
        plan, recipe = self.plan, self.plan.recipe
        spread = self.pool.subjects[:: max(1, len(self.pool.subjects) // 64)]
        tasks = [self.pool.source(subject).draw(subject, 0) for subject in spread]
        tasks += [task for heldout in self.heldout for task in heldout.tasks]
        named = {task.verifier for task in tasks if task.verifier} | set(recipe.verifiers)
        options = {recipe.verifier.name: recipe.verifier.options} | dict(recipe.verifiers)
        specs = {}
        for name in sorted(named | {recipe.verifier.name}):
            registration = plan.find("verifiers", Use(name=name), "verifier")
            specs[name] = VerifierSpec.of(
                registration, options.get(name), context=plan.context, file=local_file(plan.file.path)
            )
        return Scorer(specs, workers=max(1, os.cpu_count() or 1))

    def _restore_labels(self, line: Mapping[str, Any], at: _Position) -> None:
        at.labels = {d.subject: d for d in convert(line["labels"], list[Difficulty])}
        self.pool.load_state_dict(line["pool"])
        self._restore_spent(line)

    def _restore_spent(self, line: Mapping[str, Any]) -> None:
        self.spent.rollouts, self.spent.tokens = line["spent_rollouts"], line["spent_tokens"]
        self.spent.cpu_seconds = line["spent_cpu_seconds"]

    def _report_failure(self, failure: EventFailure) -> None:
        log_failure(failure)
        if failure.times <= 3:
            self.ledger.append(
                "plugin_failed", event=failure.event, plugin=failure.plugin, reason=failure.reason
            )


def _sequence(stages: tuple[Stage, ...]) -> Iterator[tuple[Stage, bool]]:
    """Stages with repeats unrolled as `name-1`, `name-2`, ...; and whether it is a repeat."""
    for stage in stages:
        if stage.repeat == 1:
            yield stage, False
            continue
        numbers = itertools.count(1) if stage.repeat == "budget" else range(1, stage.repeat + 1)
        for number in numbers:
            yield stage.model_copy(update={"name": f"{stage.name}-{number}", "repeat": 1}), True


def _key(stage: Stage) -> str:
    return stage.curriculum.model_dump_json()


def _rates(labels: Mapping[str, Difficulty]) -> str:
    if not labels:
        return ""
    rates = sorted(label.pass_rate for label in labels.values())
    return f"; measured pass rates run from {rates[0]:.2f} to {rates[-1]:.2f}, median {rates[len(rates) // 2]:.2f}"


def _environment() -> dict[str, Any]:
    """Facts that a reader of the numbers wants; never the environment's variables."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
