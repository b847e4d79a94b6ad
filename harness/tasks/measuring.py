"""Measuring how hard subjects are for a policy, and the store of labels that later runs reuse.

A label is a posterior with its samples, policy, sampling and verifier, never a bare number. A
measurement goes in rounds: the estimator asks for rollouts where its labels are not decisive yet,
each round is durable, and a run that was killed goes on with the next.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.contract.errors import DataError, PluginError
from harness.contract.members import member
from harness.contract.protocols import DifficultyEstimator, Engine, RunInfo
from harness.contract.records import (
    Difficulty,
    PolicyRef,
    Request,
    Rollout,
    RolloutKey,
    Sampling,
    Task,
    Verdict,
    builtins,
    convert,
    decode,
    digest,
    encode,
)
from harness.contract.seeds import seed_of
from harness.recipe.rules import POLICY
from harness.recording.ledger import Ledger, cut_torn_line
from harness.recording.spending import CpuMeter, Spent
from harness.scoring import Scorer
from harness.scoring.generation import generate_scored
from harness.statistics.tally import Tally
from harness.tasks.pool import TaskPool


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one measurement needs."""

    info: RunInfo
    estimator: DifficultyEstimator
    engine: Engine
    pool: TaskPool
    scorer: Scorer
    ledger: Ledger
    spent: Spent
    sampling: Sampling
    policy: PolicyRef
    #: Hash of the recipe's verifier; a label carries that of the one that judged it.
    verifier_hash: str
    #: The stage that it precedes; names its random stream.
    stage: str
    #: Rollouts it may use; None is unbounded.
    limit: int | None = None


@dataclass(slots=True)
class Outcomes:
    """Counts by subject, and how far the measurement has come."""

    round: int = 0
    labels: dict[str, Difficulty] = field(default_factory=dict)


def measure(measurement: Measurement, subjects: Sequence[str], outcomes: Outcomes) -> dict[str, Difficulty]:
    """Measure until the estimator is satisfied or the limit is reached; returns its labels.

    Args:
        measurement: the parts.
        subjects: what to measure.
        outcomes: what is known already (training outcomes, a killed run's rounds); extended in place. It
            holds counts alone, so that it is what a store may keep.

    Raises:
        PluginError: a label is of another subject, counts what nobody sampled or predicts no rate.
    """
    start = measurement.spent.rollouts
    pool = measurement.pool
    member("difficulty_estimators", measurement.estimator, "look")(
        lambda subject: pool.source(subject).draw(subject, 0).prompt
    )
    while wanted := measurement.estimator.requests(outcomes.labels, subjects):
        left = None if measurement.limit is None else measurement.limit - (measurement.spent.rollouts - start)
        work = _work(measurement, wanted, outcomes, left)
        if not work:
            break
        outcomes.round += 1
        with CpuMeter(measurement.spent):
            _run_round(measurement, work, outcomes)
        measurement.ledger.append(
            "measurement",
            stage=measurement.stage,
            round=outcomes.round,
            outcomes=list(outcomes.labels.values()),
            pool=measurement.pool.state_dict(),
            estimator=measurement.estimator.state_dict(),
            **measurement.spent.as_fields(),
        )
        measurement.ledger.commit()
    return checked_labels(
        measurement.estimator.fit(dict(outcomes.labels)), outcomes.labels, measurement.estimator
    )


def checked_labels(
    labels: Mapping[str, Difficulty], outcomes: Mapping[str, Difficulty], estimator: DifficultyEstimator
) -> dict[str, Difficulty]:
    """An estimator's labels, whose counts are those of the outcomes that it was given."""
    where = f"estimator {type(estimator).__name__}, fit"
    for subject, label in labels.items():
        if not isinstance(label, Difficulty) or label.subject != subject:
            raise PluginError(f"the label of {subject!r} is {label!r}", where=where)
        counted = outcomes.get(subject)
        samples, passes = (counted.samples, counted.passes) if counted is not None else (0, 0)
        if (label.samples, label.passes) != (samples, passes):
            raise PluginError(
                f"the label of {subject!r} has {label.passes} passes of {label.samples} samples, but "
                f"{passes} of {samples} were counted",
                where=where,
                hint="leave the counts as they are; say what is expected of a subject in `predicted`",
            )
        if label.predicted is not None and not 0 <= label.predicted <= 1:
            raise PluginError(f"{subject!r} is predicted to be solved at {label.predicted!r}", where=where)
        if odd := {name: value for name, value in label.extra.items() if not math.isfinite(value)}:
            raise PluginError(
                f"the label of {subject!r} has {odd} in `extra`, which no ledger keeps", where=where,
                allowed="finite numbers",
            )  # fmt: skip
    return dict(labels)


def _work(
    measurement: Measurement, wanted: Mapping[str, int], outcomes: Outcomes, left: int | None
) -> list[tuple[Task, Request]]:
    work: list[tuple[Task, Request]] = []
    subjects = list(wanted)
    if left is not None and sum(wanted.values()) > left:
        # What the budget still allows is a random sample of the subjects, not the first ones.
        subjects.sort(
            key=lambda s: seed_of(measurement.info.stream, "measure", measurement.stage, outcomes.round, s)
        )
    for subject in subjects:
        count = wanted[subject]
        if left is not None and len(work) + count > left:
            break
        known = outcomes.labels.get(subject)
        endless = measurement.pool.source(subject).endless
        first = 0 if endless or known is None else known.samples + known.excluded_infra
        parts = [(first, samples) for samples in measurement.estimator.split(count, endless=endless)]
        for first, samples in parts:
            task = measurement.pool.draw(subject)
            for sample in range(first, first + samples):
                key = RolloutKey(measurement.info.stream, "difficulty", measurement.stage, 0, task.id, sample)
                work.append((task, Request(key, task.prompt, measurement.sampling)))
    return work


def _run_round(measurement: Measurement, work: list[tuple[Task, Request]], outcomes: Outcomes) -> None:
    tallies: dict[str, Tally] = defaultdict(Tally)
    #: Hash of the verifier that judged, by subject: tasks of one run may name several.
    judges: dict[str, str] = {}

    def receive(task: Task, rollout: Rollout, verdict: Verdict) -> None:
        measurement.spent.rollouts += 1
        measurement.spent.tokens += rollout.generated
        measurement.spent.pay(rollout.cost, rollout.source)
        tally = tallies[task.subject]
        # A subject's samples may be of many tasks, so they are numbered as they come.
        tally.add(
            tally.end, status=verdict.status, score=verdict.score, extracted=None, finish=rollout.finish,
            tokens=rollout.tokens,
        )  # fmt: skip
        judges[task.subject] = verdict.verifier_hash

    generate_scored(measurement.engine, work, measurement.scorer, receive)
    for subject, tally in tallies.items():
        known = outcomes.labels.get(subject) or Difficulty(
            subject=subject,
            model=POLICY,
            policy=measurement.policy,
            samples=0,
            passes=0,
            sampling=measurement.sampling,
            verifier_hash=judges[subject] or measurement.verifier_hash,
        )
        outcomes.labels[subject] = _onto(known, tally)


def _onto(known: Difficulty, tally: Tally) -> Difficulty:
    return replace(
        known,
        samples=known.samples + tally.samples,
        passes=known.passes + tally.passes,
        score_sum=known.score_sum + tally.score,
        score_sq_sum=known.score_sq_sum + tally.score_sq,
        truncated=known.truncated + tally.truncated,
        excluded_infra=known.excluded_infra + tally.infra,
    )


def from_training(
    outcomes: Mapping[str, tuple[float, float]], policy: PolicyRef, sampling: Sampling, verifier_hash: str
) -> dict[str, Difficulty]:
    """Labels from (decayed) training outcomes, rounded to whole samples; subjects below one are left out."""
    labels = {}
    for subject, (samples, passes) in outcomes.items():
        whole = round(samples)
        if whole >= 1:
            right = min(whole, round(passes))
            labels[subject] = Difficulty(
                subject=subject,
                model=POLICY,
                policy=policy,
                samples=whole,
                passes=right,
                criterion="training",
                score_sum=float(right),
                score_sq_sum=float(right),
                sampling=sampling,
                verifier_hash=verifier_hash,
            )
    return labels


class LabelStore:
    """Labels that outlive a run: one append-only file for each policy, sampling, verifier and `asked`,
    which stands for what the subjects' names mean (their sources, how prompts are rendered)."""

    def __init__(self, folder: Path, asked: str = "") -> None:
        self._folder, self._asked = folder, asked

    def _path(self, policy: PolicyRef, sampling: Sampling, verifier_hash: str) -> Path:
        name = digest(policy.weights_sha, builtins(sampling), verifier_hash, self._asked)
        return self._folder / f"{name}.jsonl"

    def load(self, policy: PolicyRef, sampling: Sampling, verifier_hash: str) -> dict[str, Difficulty]:
        """The newest label of each subject for exactly these weights, sampling and verifier."""
        path = self._path(policy, sampling, verifier_hash)
        if not path.is_file():
            return {}
        labels = {}
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
            if line.endswith(b"\n"):
                label = decode(line, Difficulty, where=f"{path}, line {number}")
                labels[label.subject] = label
        return labels

    def add(self, labels: Mapping[str, Difficulty]) -> None:
        """Keep labels; they replace older ones of the same subject."""
        by_path: dict[Path, list[Difficulty]] = defaultdict(list)
        for label in labels.values():
            by_path[self._path(label.policy, label.sampling, label.verifier_hash)].append(label)
        self._folder.mkdir(parents=True, exist_ok=True)
        for path, members in by_path.items():
            with path.open("ab") as file:
                cut_torn_line(path)  # of a run that was killed here
                file.write(b"".join(encode(label) + b"\n" for label in members))


def outcomes_from(line: Mapping[str, Any]) -> Outcomes:
    """The state of a measurement from its last ledger line."""
    labels = convert(line["outcomes"], list[Difficulty])
    if line["round"] < 1:
        raise DataError(f"round {line['round']} of a measurement")
    return Outcomes(line["round"], {label.subject: label for label in labels})
