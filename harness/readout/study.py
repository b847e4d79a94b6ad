"""Studies as reports see them: runs with their curves, labels and evaluations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.contract.errors import counted
from harness.contract.records import Difficulty, StepMetrics
from harness.recording.spending import Spent
from harness.statistics.tally import Counts

State = Literal["finished", "unfinished", "empty"]


Axis = Literal["rollouts", "tokens", "cpu_seconds"]


def cost(spent: Spent, axis: Axis) -> float:
    """What was spent, on one axis."""
    return float(getattr(spent, axis))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of one held-out set."""

    name: str
    heldout: str
    stage: str
    step: int
    spent: Spent
    scores: dict[str, float]
    strata: dict[str, Counts]
    #: Empty except in the first and the last evaluation of a held-out set.
    problems: dict[str, Counts]
    #: Mean over problems of their pass rates, kept if `problems` is not; nan without a score.
    rate: float
    cpu_seconds: float
    #: What the score rests on if the line says it itself: benchmark version, profile, verifiers.
    facts: dict[str, Any] = field(default_factory=dict)
    #: Why there is no score: samples are missing or could not be judged.
    refused: str = ""
    #: Hash of what was extracted, by problem (`Tally.fingerprint`); empty if `problems` is, and in ledgers
    #: of older versions.
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def judged(self) -> bool:
        """Whether every sample was judged, so that there is a score."""
        return self.rate == self.rate

    @property
    def reason(self) -> str:
        """Why it has no score; empty if it has one."""
        return "" if self.judged else self.refused or "nothing could be judged"

    @property
    def no_score(self) -> str:
        """The same as it stands in the place of a score; empty if there is one."""
        return f"no score: {self.reason}" if self.reason else ""

    def score(self, strata: Sequence[str] = ()) -> float:
        """Pass rate over the named strata (each problem alike), or over all of it; nan without a score."""
        if not strata:
            return self.rate
        if not self.judged:
            return float("nan")
        chosen = [self.strata[s] for s in strata if s in self.strata and self.strata[s].samples]
        problems = sum(c.problems for c in chosen)
        return sum(c.rate * c.problems for c in chosen) / problems if problems else float("nan")


@dataclass(frozen=True, slots=True)
class Labels:
    """One measurement of difficulty and its cost."""

    stage: str
    labels: tuple[Difficulty, ...]
    rollouts: int
    tokens: int
    cpu_seconds: float


@dataclass(slots=True)
class StageSpan:
    """A stage as it was run."""

    name: str
    subjects: int
    rule: str
    begin_rollouts: int
    reason: str = ""
    last_step: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    metrics: StepMetrics
    spent: Spent


@dataclass(slots=True)
class Run:
    """One arm with one seed."""

    folder: Path
    arm: str
    seed: int
    opened: dict[str, Any] = field(default_factory=dict)
    evaluations: list[Evaluation] = field(default_factory=list)
    labels: list[Labels] = field(default_factory=list)
    stages: list[StageSpan] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    #: Fresh training samples by (index into `steps`, subject): each once, however often its group was
    #: extended or replayed.
    drawn: list[dict[str, int]] = field(default_factory=list)
    resumed: int = 0
    finished_at: str = ""
    #: Weights hash of the last checkpoint.
    weights_sha: str = ""
    #: Cost at the last line that says it, whatever that line is about.
    last_spent: Spent = field(default_factory=Spent)

    @property
    def state(self) -> State:
        if self.finished_at:
            return "finished"
        return "unfinished" if self.opened else "empty"

    @property
    def simulated(self) -> bool:
        """Whether its outcomes come from a simulation, as its ledger says: in `opened`, or, if an older
        version wrote it, in the metrics of the steps."""
        told = self.opened.get("simulated")
        if told is None:
            return any(bool(step.metrics.extra.get("simulated")) for step in self.steps)
        return bool(told)

    @property
    def trains(self) -> bool:
        """Whether it is a training run, not an evaluation of a model as it is."""
        return self.opened.get("kind") != "evaluation"

    @property
    def spent(self) -> Spent:
        """Cost at the last thing the ledger holds; of an evaluation, that of all its benchmarks."""
        if not self.trains:
            return Spent.total(self.spent_on(heldout) for heldout in self.heldouts)
        return self.last_spent

    def spent_on(self, heldout: str) -> Spent:
        """What a score on this held-out set cost: the run's training, or the evaluation on it alone."""
        if self.trains:
            return self.spent
        evaluations = self.on(heldout)
        return evaluations[-1].spent if evaluations else Spent()

    @property
    def heldouts(self) -> list[str]:
        return list(dict.fromkeys(e.heldout for e in self.evaluations))

    def on(self, heldout: str) -> list[Evaluation]:
        """Evaluations of one held-out set, in the order of the ledger."""
        return [e for e in self.evaluations if e.heldout == heldout]

    def curve(self, heldout: str, axis: Axis, strata: Sequence[str] = ()) -> list[tuple[float, float]]:
        """(cost, score) points; if evaluations coincide the last one counts."""
        points = {cost(e.spent, axis): e.score(strata) for e in self.on(heldout)}
        return sorted((x, y) for x, y in points.items() if y == y)

    @property
    def zero_variance(self) -> float:
        """Share of training groups that carried no signal (`Group.signal`); nan without steps."""
        return self._mean(lambda metrics: metrics.zero_variance_groups)

    @property
    def truncated(self) -> float:
        """Share of training samples that the stages' limits cut; nan without steps."""
        return self._mean(lambda metrics: metrics.truncated)

    def _mean(self, share: Callable[[StepMetrics], float]) -> float:
        """Over steps, weighted by their rollouts."""
        rollouts = sum(s.metrics.rollouts for s in self.steps)
        if not rollouts:
            return float("nan")
        return sum(share(s.metrics) * s.metrics.rollouts for s in self.steps) / rollouts


@dataclass(slots=True)
class Study:
    """A recipe's arms and seeds."""

    folder: Path
    recipe: str
    runs: list[Run]
    #: What an arm is there to show, if the recipe says it.
    about: dict[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def arms(self) -> list[str]:
        return list(dict.fromkeys(run.arm for run in self.runs))

    def of(self, arm: str) -> list[Run]:
        return [run for run in self.runs if run.arm == arm]

    @property
    def seeds(self) -> list[int]:
        return sorted({run.seed for run in self.runs})

    @property
    def heldouts(self) -> list[str]:
        return list(dict.fromkeys(h for run in self.runs for h in run.heldouts))

    @property
    def state(self) -> str:
        """In words: `finished`, `3 of 12 runs finished`, `empty`."""
        done = sum(run.state == "finished" for run in self.runs)
        if not self.runs:
            return "empty"
        return (
            "finished" if done == len(self.runs) else f"{done} of {counted(len(self.runs), 'run')} finished"
        )
