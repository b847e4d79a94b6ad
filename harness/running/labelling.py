"""Before a stage: measure the policy if the stage asks for it, and select its subjects by rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.contract.errors import TrainingError, counted
from harness.contract.records import Difficulty, Sampling, convert, digest
from harness.recipe import Stage
from harness.recipe.rules import POLICY, Labels, Rule
from harness.recording.spending import remaining_rollouts
from harness.running.parts import Parts
from harness.running.position import Position
from harness.tasks.measuring import (
    LabelStore,
    Measurement,
    Outcomes,
    from_training,
    measure,
    outcomes_from,
)


def label(parts: Parts, stage: Stage, at: Position) -> None:
    """Give `at` the labels that the stage is selected by.

    The policy is measured when the stage says so, or when a rule, a curriculum, a gate or a shaper needs
    labels and there are none yet; a measurement that the ledger holds is read from there.
    """
    line = parts.history.labels.get(stage.name)
    if line is not None:
        restore(parts, line, at)
        return
    needed = stage.kind == "label" or stage.reestimate or (not at.labels and parts.plan.needs_labels(stage))
    if not needed:
        return
    before = parts.spent.copy()
    measurement, store, outcomes = _measurement(parts, stage, at)
    at.labels = measure(measurement, parts.pool.subjects, outcomes)
    at.estimator = dict(measurement.estimator.state_dict())
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
        **parts.spent.as_fields(),
    )
    parts.ledger.commit()
    if store is not None:
        # Outcomes, not what the estimator made of them: a prediction is no sample of a later run.
        store.add({k: v for k, v in outcomes.labels.items() if v.criterion != "training"})
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
    labels = _labels(parts, at)
    parts.pool.tag({name: Rule(text) for name, text in options.tags.items()}, labels)
    subjects = _not_discarded(parts, labels)
    if stage.select:
        rule = Rule(stage.select, where=f"stages {stage.name!r}, select")
        subjects = parts.pool.select(rule, labels, subjects)
    return list(subjects)


def refuse_nothing_selected(parts: Parts, stage: Stage, at: Position) -> None:
    """Raise TrainingError for rules that leave no subject, with how many of them had the labels that the
    rules ask about: a subject without one never matches."""
    labels = _labels(parts, at)
    discard = parts.plan.recipe.difficulty.discard
    subjects = _not_discarded(parts, labels)
    if subjects:
        rule, done = Rule(stage.select), "selects none of"
    else:
        subjects = parts.pool.subjects
        rule, done = Rule(discard), "(difficulty.discard) drops all of"
    known = [_known(model, labels.get(model, {}), subjects) for model in sorted(rule.asks)]
    unmeasured = POLICY in rule.asks and len(at.labels) < len(subjects)
    raise TrainingError(
        "; ".join([f"the rule {rule.text!r} {done} {counted(len(subjects), 'subject')}", *known]),
        where=f"stage {stage.name!r}",
        hint="change the rule, or add tasks that the policy solves sometimes"
        + (", or measure more subjects (budget.rollouts)" if unmeasured else ""),
    )


def _labels(parts: Parts, at: Position) -> Labels:
    """What rules may ask about: labels of the policy and of other models."""
    return {**parts.imported, POLICY: at.labels}


def _not_discarded(parts: Parts, labels: Labels) -> Sequence[str]:
    """The subjects that the recipe's discard rule leaves."""
    subjects = parts.pool.subjects
    discard = parts.plan.recipe.difficulty.discard
    if not discard:
        return subjects
    dropped = set(parts.pool.select(Rule(discard), labels, subjects))
    return [subject for subject in subjects if subject not in dropped]


def _known(model: str, labels: Mapping[str, Difficulty], subjects: Sequence[str]) -> str:
    """How many of the subjects have a model's label, and their pass rates, in words."""
    mine = (labels[subject] for subject in subjects if subject in labels)
    rates = sorted(label.pass_rate for label in mine if label.samples)
    what = "measured" if model == POLICY else f"labelled by {model!r}"
    if not rates:
        return f"none of them is {what}"
    many = "all" if len(rates) == len(subjects) else f"{len(rates):,}"
    return (
        f"{many} of them {'is' if len(rates) == 1 else 'are'} {what}, with pass rates from "
        f"{rates[0]:.2f} to {rates[-1]:.2f} and a median of {rates[len(rates) // 2]:.2f}"
    )


def _measurement(parts: Parts, stage: Stage, at: Position) -> tuple[Measurement, LabelStore | None, Outcomes]:
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
    measurement = Measurement(
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
    return measurement, store, outcomes
