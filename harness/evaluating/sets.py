"""What an evaluation asks, and where it stands: the same for a run's held-out sets and for benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from harness.contract.records import Sampling, Task


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """Tasks, how many samples of each are wanted, and how they are sampled."""

    name: str
    tasks: tuple[Task, ...]
    #: Wanted per task.
    samples: int
    sampling: Sampling

    def strata(self) -> Mapping[str, Sequence[Task]]:
        """Its tasks by stratum, in the tasks' order; tasks without one are left out."""
        members: dict[str, list[Task]] = {}
        for task in self.tasks:
            if task.stratum is not None:
                members.setdefault(task.stratum, []).append(task)
        return members


@dataclass(frozen=True, slots=True)
class Place:
    """Where an evaluation stands: what its ledger lines and the keys of its samples say about that."""

    #: `before`, `inside`, `after-stage` or `final`; `final` if nothing is trained.
    name: str = "final"
    stage: str = ""
    step: int = 0
    #: Whether it belongs to a run: the keys of its samples then name the stage, too.
    in_run: bool = False

    def key_stage(self, name: str) -> str:
        """The `stage` in the keys of a set's samples."""
        return f"{name}@{self.stage}" if self.in_run else name

    def fields(self, name: str) -> dict[str, Any]:
        """The fields of a set's ledger lines."""
        return {"name": self.name, "heldout": name, "stage": self.stage, "step": self.step}


#: The place of a benchmark's evaluation: the model is not in training.
ALONE: Final = Place()
