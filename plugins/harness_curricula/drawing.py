"""Drawing tasks for a step: no task twice in a step, subjects without replacement in an epoch.

A task that comes twice in one step would have the same rollout keys and so the very same rollouts.
An endless source never gives a task twice; a finite one does when its subject is picked again, and
then the subject counts as exhausted for the rest of the step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from harness.protocols import CurriculumContext, Pool
from harness.records import Difficulty, Task

Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class StepTasks:
    """Remembers which tasks the current step already has, over the step's refills."""

    def __init__(self) -> None:
        self._at: tuple[str, int] | None = None
        self._seen: set[str] = set()

    def begins(self, context: CurriculumContext) -> bool:
        """Whether this is the first call for a step; forgets the tasks of the step before if so."""
        at = (context.stage, context.step)
        if at == self._at:
            return False
        self._at, self._seen = at, set()
        return True

    def draw(self, k: int, context: CurriculumContext, pick: Callable[[int, Flags], Indices]) -> list[Task]:
        """Up to k tasks that the step does not have yet.

        Args:
            pick: given how many are missing and which positions are exhausted (shape (subjects,)),
                returns positions to try; none ends the draw.
        """
        pool = context.pool
        exhausted = np.zeros(len(pool.subjects), dtype=np.bool_)
        tasks: list[Task] = []
        while len(tasks) < k:
            picks = pick(k - len(tasks), exhausted).tolist()
            if not picks:
                break
            for i in picks:
                task = pool.draw(pool.subjects[i])
                if task.id in self._seen:
                    exhausted[i] = True
                else:
                    self._seen.add(task.id)
                    tasks.append(task)
        return tasks


class Epochs:
    """Subjects drawn uniformly, each once before any comes again. State: the ids drawn so far."""

    def __init__(self) -> None:
        self._subjects: Sequence[str] = ()
        self._drawn: Flags = np.zeros(0, dtype=np.bool_)
        #: Ids from a loaded state that no pool has been asked about yet.
        self._pending: frozenset[str] = frozenset()

    def draw(
        self, k: int, context: CurriculumContext, step: StepTasks, among: Indices | None = None
    ) -> list[Task]:
        """Up to k tasks of the pool's subjects, or of those at the positions `among`."""
        self._align(context.pool.subjects)
        open_ = np.ones(len(self._drawn), dtype=np.bool_)
        if among is not None:
            open_[:] = False
            open_[among] = True

        def pick(count: int, exhausted: Flags) -> Indices:
            left = np.flatnonzero(open_ & ~self._drawn & ~exhausted)
            if not len(left):
                left = np.flatnonzero(open_ & ~exhausted)
                if not len(left):
                    return left
                self._drawn[open_] = False
            picks: Indices = context.rng.choice(left, size=min(count, len(left)), replace=False)
            self._drawn[picks] = True
            return picks

        return step.draw(k, context, pick)

    def _align(self, subjects: Sequence[str]) -> None:
        if subjects is self._subjects and not self._pending:
            return
        drawn = self._pending | frozenset(self.drawn())
        self._drawn = np.fromiter((s in drawn for s in subjects), dtype=np.bool_, count=len(subjects))
        self._subjects, self._pending = subjects, frozenset()

    def drawn(self) -> list[str]:
        """Ids drawn in the current epoch, sorted."""
        return sorted(self._pending | {self._subjects[i] for i in np.flatnonzero(self._drawn).tolist()})

    def load(self, drawn: Iterable[str]) -> None:
        self._subjects, self._drawn = (), np.zeros(0, dtype=np.bool_)
        self._pending = frozenset(drawn)


def difficulty_means(subjects: Sequence[str], labels: Mapping[str, Difficulty]) -> npt.NDArray[np.float64]:
    """Posterior mean pass rates, shape (subjects,); one half, the prior's mean, where none is known."""
    known = (labels.get(subject) for subject in subjects)
    return np.fromiter((0.5 if d is None else d.mean for d in known), dtype=np.float64, count=len(subjects))


def positions(subjects: Sequence[str], wanted: Iterable[str]) -> Indices:
    """Positions of the wanted ids that the pool has, in the order wanted."""
    index = {subject: i for i, subject in enumerate(subjects)}
    return np.array([index[s] for s in wanted if s in index], dtype=np.int64)


def refuse_empty(name: str, low: float, high: float, means: npt.NDArray[np.float64], pool: Pool) -> str:
    """The message for a window that holds no subject."""
    if not len(pool.subjects):
        return f"curriculum {name!r}: the stage selected no subjects"
    return (
        f"curriculum {name!r}: none of {len(means)} subjects has a posterior mean pass rate in "
        f"[{low}, {high}]; they lie between {means.min():.3f} and {means.max():.3f}"
    )
