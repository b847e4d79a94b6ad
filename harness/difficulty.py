"""Measuring how hard subjects are for a policy, and the store of labels that later runs reuse.

A label is a posterior with its samples, policy, sampling and verifier, never a bare number. A
measurement goes in rounds: the estimator asks for rollouts where its labels are not decisive yet,
each round is durable, and a run that was killed goes on with the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.generation import generate_scored
from harness.ledger import Ledger, cut_torn_line
from harness.pool import TaskPool
from harness.protocols import DifficultyEstimator, Engine, RunInfo
from harness.records import (
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
    unjudged,
)
from harness.scoring import Scorer
from harness.seeds import seed_of
from harness.selection import POLICY
from harness.spending import CpuMeter, Spent


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
    #: Of the recipe's verifier; a label carries that of the one that judged it.
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


def measure(job: Measurement, subjects: Sequence[str], outcomes: Outcomes) -> dict[str, Difficulty]:
    """Measure until the estimator is satisfied or the limit is reached; returns its labels.

    Args:
        job: the parts.
        subjects: what to measure.
        outcomes: what is known already (training outcomes, a killed run's rounds); extended in place.
    """
    start = job.spent.rollouts
    while wanted := job.estimator.requests(outcomes.labels, subjects):
        left = None if job.limit is None else job.limit - (job.spent.rollouts - start)
        work = _work(job, wanted, outcomes, left)
        if not work:
            break
        outcomes.round += 1
        with CpuMeter(job.spent):
            _run_round(job, work, outcomes)
        job.ledger.append(
            "measurement",
            stage=job.stage,
            round=outcomes.round,
            outcomes=list(outcomes.labels.values()),
            pool=job.pool.state_dict(),
            estimator=job.estimator.state_dict(),
            **job.spent.fields(),
        )
        job.ledger.commit()
    return dict(job.estimator.fit(outcomes.labels))


def _work(
    job: Measurement, wanted: Mapping[str, int], outcomes: Outcomes, left: int | None
) -> list[tuple[Task, Request]]:
    work: list[tuple[Task, Request]] = []
    subjects = list(wanted)
    if left is not None and sum(wanted.values()) > left:
        # What the budget still allows is a random sample of the subjects, not the first ones.
        subjects.sort(key=lambda s: seed_of(job.info.stream, "measure", job.stage, outcomes.round, s))
    for subject in subjects:
        count = wanted[subject]
        if left is not None and len(work) + count > left:
            break
        known = outcomes.labels.get(subject)
        endless = job.pool.source(subject).endless
        first = 0 if endless or known is None else known.samples + known.excluded_infra
        parts = [(first, samples) for samples in job.estimator.split(count, endless=endless)]
        for first, samples in parts:
            task = job.pool.draw(subject)
            for sample in range(first, first + samples):
                key = RolloutKey(job.info.stream, "difficulty", job.stage, 0, task.id, sample)
                work.append((task, Request(key, task.prompt, job.sampling)))
    return work


def _run_round(job: Measurement, work: list[tuple[Task, Request]], outcomes: Outcomes) -> None:
    counts: dict[str, _Count] = defaultdict(_Count)

    def receive(task: Task, rollout: Rollout, verdict: Verdict) -> None:
        job.spent.rollouts += 1
        job.spent.tokens += rollout.tokens
        counts[task.subject].add(rollout, verdict)

    generate_scored(job.engine, work, job.scorer, receive)
    for subject, count in counts.items():
        known = outcomes.labels.get(subject) or Difficulty(
            subject=subject,
            model=POLICY,
            policy=job.policy,
            samples=0,
            passes=0,
            sampling=job.sampling,
            verifier_hash=count.verifier_hash or job.verifier_hash,
        )
        outcomes.labels[subject] = count.onto(known)


@dataclass(slots=True)
class _Count:
    samples: int = 0
    passes: int = 0
    scores: list[float] = field(default_factory=list)
    truncated: int = 0
    infra: int = 0
    #: Of the verifier that judged: tasks of one run may name several.
    verifier_hash: str = ""

    def add(self, rollout: Rollout, verdict: Verdict) -> None:
        self.verifier_hash = verdict.verifier_hash
        if unjudged(rollout, verdict):
            self.infra += 1
            return
        self.samples += 1
        self.passes += verdict.status == "pass"
        self.scores.append(verdict.score or 0.0)
        self.truncated += rollout.truncated

    def onto(self, known: Difficulty) -> Difficulty:
        # Sorted, so that the sum does not depend on the order in which verdicts arrived.
        scores = sorted(self.scores)
        return replace(
            known,
            samples=known.samples + self.samples,
            passes=known.passes + self.passes,
            score_sum=known.score_sum + sum(scores),
            score_sq_sum=known.score_sq_sum + sum(s * s for s in scores),
            truncated=known.truncated + self.truncated,
            excluded_infra=known.excluded_infra + self.infra,
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
