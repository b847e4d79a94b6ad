"""Before a stage: measure the policy if the stage asks for it, and select its subjects by rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.difficulty import LabelStore, Measurement, Outcomes, from_training, measure, outcomes_from
from harness.errors import TrainingError
from harness.parts import Parts
from harness.position import Position
from harness.recipe import Stage
from harness.records import Difficulty, Sampling, convert, digest
from harness.selection import POLICY, Rule
from harness.spending import remaining_rollouts


def label(parts: Parts, stage: Stage, at: Position) -> None:
    """Give `at` the labels that the stage is selected by.

    The policy is measured when the stage says so, or when a rule or a curriculum needs labels and
    there are none yet; a measurement that the ledger holds is read from there.
    """
    line = parts.history.labels.get(stage.name)
    if line is not None:
        restore(parts, line, at)
        return
    needed = stage.kind == "label" or stage.reestimate or (not at.labels and _needs_labels(parts, stage))
    if not needed:
        return
    before = parts.spent.copy()
    job, store, outcomes = _job(parts, stage, at)
    at.labels = measure(job, parts.pool.subjects, outcomes)
    at.estimator = dict(job.estimator.state_dict())
    cost = parts.spent.since(before)
    parts.ledger.append(
        "labels",
        stage=stage.name,
        labels=list(at.labels.values()),
        rollouts=cost.rollouts,
        tokens=cost.tokens,
        cpu_seconds=cost.cpu_seconds,
        pool=parts.pool.state_dict(),
        estimator=at.estimator,
        **parts.spent.fields(),
    )
    parts.ledger.commit()
    if store is not None:
        store.add({k: v for k, v in at.labels.items() if v.criterion != "training"})
    parts.events.emit(
        "difficulty_measured", run=parts.info, stage=stage.name, labels=tuple(at.labels.values())
    )


def restore(parts: Parts, line: Mapping[str, Any], at: Position) -> None:
    """Take over a measurement from the ledger."""
    at.labels = {d.subject: d for d in convert(line["labels"], list[Difficulty])}
    at.estimator = line.get("estimator")
    parts.pool.load_state_dict(line["pool"])
    parts.restore_spent(line)


def select(parts: Parts, stage: Stage, at: Position) -> list[str]:
    """The subjects that the recipe's tags, its discard rule and the stage's rule leave."""
    options = parts.plan.recipe.difficulty
    labels = {**parts.imported, POLICY: at.labels}
    parts.pool.tag({name: Rule(text) for name, text in options.tags.items()}, labels)
    subjects = parts.pool.subjects
    if options.discard:
        dropped = set(parts.pool.select(Rule(options.discard), labels, subjects))
        subjects = [subject for subject in subjects if subject not in dropped]
    if stage.select:
        rule = Rule(stage.select, where=f"stages {stage.name!r}, select")
        subjects = parts.pool.select(rule, labels, subjects)
    return list(subjects)


def refuse_nothing_selected(parts: Parts, stage: Stage, at: Position) -> None:
    """Raise TrainingError for a rule that no subject matches, with what was measured."""
    rates = sorted(d.pass_rate for d in at.labels.values())
    seen = (
        f"; measured pass rates run from {rates[0]:.2f} to {rates[-1]:.2f}, "
        f"with the median {rates[len(rates) // 2]:.2f}"
        if rates
        else ""
    )
    raise TrainingError(
        f"the rule {stage.select!r} selects none of {len(parts.pool.subjects)} subjects{seen}",
        where=f"stage {stage.name!r}",
        hint="widen the rule, or add tasks that the policy solves sometimes",
    )


def _needs_labels(parts: Parts, stage: Stage) -> bool:
    options = parts.plan.recipe.difficulty
    rules = [text for text in (stage.select, options.discard, *options.tags.values()) if text]
    curriculum = parts.plan.find("curricula", stage.curriculum, "curriculum")
    return bool(curriculum.capabilities.get("needs_labels")) or any(Rule(r).needs_labels for r in rules)


def _job(parts: Parts, stage: Stage, at: Position) -> tuple[Measurement, LabelStore | None, Outcomes]:
    recipe = parts.plan.recipe
    options = recipe.difficulty
    sampling = Sampling(temperature=options.temperature, top_p=options.top_p, max_tokens=options.max_tokens)
    hashes = parts.scorer.hashes()
    verifier_hash = hashes[recipe.verifier.name]

    def judged_by(subject: str) -> str:
        """The hash of the subject's own verifier."""
        task = parts.pool.source(subject).draw(subject, 0)
        return hashes[task.verifier or recipe.verifier.name]

    asked = digest(recipe.tasks.model_dump(mode="json"), recipe.model.prompt)
    store = LabelStore(parts.plan.base / options.store, asked) if options.store else None
    trained = from_training(at.outcomes, at.policy.ref, sampling, verifier_hash)
    outcomes = Outcomes(0, {k: replace(d, verifier_hash=judged_by(k)) for k, d in trained.items()})
    if store is not None:
        stored = {
            subject: known
            for each in sorted(set(hashes.values()))
            for subject, known in store.load(at.policy.ref, sampling, each).items()
            if judged_by(subject) == each
        }
        outcomes.labels |= stored
        for old in stored.values():  # more samples are of other tasks than those that it stands on
            parts.pool.skip(old.subject, old.samples + old.excluded_infra)
    estimator = parts.plan.build("difficulty_estimators", options.estimator, "difficulty.estimator")
    known = at.estimator
    interrupted = parts.history.rounds.get(stage.name)
    if interrupted is not None:
        outcomes = outcomes_from(interrupted)
        parts.pool.load_state_dict(interrupted["pool"])
        parts.restore_spent(interrupted)
        known = interrupted.get("estimator")
    if known is not None:
        estimator.load_state_dict(known)
    job = Measurement(
        info=parts.info,
        estimator=estimator,
        engine=parts.engine(at.policy),
        pool=parts.pool,
        scorer=parts.scorer,
        ledger=parts.ledger,
        spent=parts.spent,
        sampling=sampling,
        policy=at.policy.ref,
        verifier_hash=verifier_hash,
        stage=stage.name,
        limit=remaining_rollouts(recipe.budget, parts.spent),
    )
    return job, store, outcomes
