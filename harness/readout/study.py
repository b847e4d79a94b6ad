"""Studies as reports see them: runs with their curves, labels and evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.errors import counted
from harness.records import Difficulty, StepMetrics
from harness.spending import Spent

State = Literal["finished", "unfinished", "empty"]


class Count(msgspec.Struct, frozen=True):
    """Outcomes of one stratum or one problem in an evaluation."""

    samples: int
    passes: int
    problems: int = 1
    #: Summed scores, which exceed the passes where a verifier gives fractions.
    score: float = 0.0
    tokens: int = 0
    truncated: int = 0
    no_answer: int = 0
    #: Samples that could not be judged; they make a result unpublishable.
    infra: int = 0

    @property
    def rate(self) -> float:
        return self.passes / self.samples if self.samples else float("nan")


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
    strata: dict[str, Count]
    #: Empty except in the first and the last evaluation of a held-out set.
    problems: dict[str, Count]
    #: Mean over problems of their pass rates, kept where `problems` is not.
    rate: float
    cpu_seconds: float
    #: What the score rests on where the line says it itself: benchmark version, profile, verifiers.
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def judged(self) -> bool:
        """Whether any of its samples could be judged."""
        return self.rate == self.rate

    def score(self, strata: Sequence[str] = ()) -> float:
        """Pass rate over the named strata (each problem alike), or over all of it."""
        if not strata:
            return self.rate
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
    #: Training groups by (index into `steps`, subject).
    drawn: list[dict[str, int]] = field(default_factory=list)
    resumed: int = 0
    finished_at: str = ""
    #: Weights hash of the last checkpoint.
    weights_sha: str = ""

    @property
    def state(self) -> State:
        if self.finished_at:
            return "finished"
        return "unfinished" if self.opened else "empty"

    @property
    def spent(self) -> Spent:
        """Cost at the last thing the ledger holds."""
        seen = [s.spent for s in self.steps[-1:]] + [e.spent for e in self.evaluations[-1:]]
        return max(seen, key=lambda s: s.rollouts, default=Spent())

    @property
    def heldouts(self) -> list[str]:
        return list(dict.fromkeys(e.heldout for e in self.evaluations))

    def on(self, heldout: str) -> list[Evaluation]:
        """Evaluations of one held-out set, in the order of the ledger."""
        return [e for e in self.evaluations if e.heldout == heldout]

    def curve(self, heldout: str, axis: Axis, strata: Sequence[str] = ()) -> list[tuple[float, float]]:
        """(cost, score) points; where evaluations coincide the last one counts."""
        points = {cost(e.spent, axis): e.score(strata) for e in self.on(heldout)}
        return sorted((x, y) for x, y in points.items() if y == y)

    @property
    def zero_variance(self) -> float:
        """Share of training groups whose rewards were all alike; nan without steps."""
        rollouts = sum(s.metrics.rollouts for s in self.steps)
        if not rollouts:
            return float("nan")
        return sum(s.metrics.zero_variance_groups * s.metrics.rollouts for s in self.steps) / rollouts


@dataclass(slots=True)
class Study:
    """A recipe's arms and seeds."""

    folder: Path
    recipe: str
    runs: list[Run]
    #: What an arm is there to show, where the recipe says it.
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
