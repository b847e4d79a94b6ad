"""Drawing tasks for a step: no task twice in a step, subjects without replacement in an epoch.

An endless source never gives a task twice; a finite one does when its subject is picked again, and
then the subject counts as exhausted for the rest of the step: the same task twice in a batch would
only make one group count double.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from harness.contract import CurriculumContext, Task
from harness_curricula.index import Flags, Floats, Index, Indices, grown

Pick = Callable[[int, Flags], Indices]


def by_weight(weights: Floats, rng: np.random.Generator) -> Pick:
    """Picks positions with replacement in proportion to their weights, shape (subjects,)."""

    def pick(count: int, exhausted: Flags) -> Indices:
        weights[exhausted] = 0.0
        ladder = np.cumsum(weights)
        if not len(ladder) or ladder[-1] <= 0:
            return np.zeros(0, dtype=np.int64)
        picks: Indices = np.searchsorted(ladder, rng.random(count) * ladder[-1], side="right")
        return picks

    return pick


def nearest_first(distance: Floats, rng: np.random.Generator) -> Pick:
    """Picks the positions with the least distance, shape (subjects,), ties in random order.

    The one task of a finite source's subject is picked once; then comes the next nearest. A stratum always
    has another task, so the nearest stratum gives all of them.
    """
    order = np.lexsort((rng.random(len(distance)), distance))
    first = True

    def pick(count: int, exhausted: Flags) -> Indices:
        nonlocal first
        left = order[~exhausted[order]]
        if first:
            # Twice: after that a finite source's subject is known to be exhausted, and a stratum is not.
            first = False
            return np.repeat(left[:1], min(count, 2))
        return left[:count] if exhausted.any() else np.repeat(left[:1], count)

    return pick


def candidates(open_: Indices, wanted: int, rng: np.random.Generator) -> Indices:
    """So many of the open positions, each about as often as any other; strata may stand for several tasks."""
    if wanted <= len(open_):
        chosen: Indices = rng.choice(open_, wanted, replace=False)
        return chosen
    if not len(open_):
        return open_
    rounds = -(-wanted // len(open_))
    return np.concatenate([rng.permutation(open_) for _ in range(rounds)])[:wanted]


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

    def draw(self, k: int, context: CurriculumContext, pick: Pick) -> list[Task]:
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

    def give_back(self, tasks: Iterable[Task]) -> None:
        """Tasks that were drawn and are not taken after all: the step may draw them again."""
        self._seen.difference_update(task.id for task in tasks)


class Epochs:
    """Subjects drawn uniformly, each once before any comes again. State: the ids drawn so far."""

    def __init__(self, drawn: Iterable[str] = ()) -> None:
        self._index = Index(list(drawn))
        self._drawn: Flags = np.ones(len(self._index), dtype=np.bool_)

    def draw(
        self, k: int, context: CurriculumContext, step: StepTasks, among: Flags | None = None
    ) -> list[Task]:
        """Up to k tasks of the pool's subjects, or of those that `among` (shape (subjects,)) marks."""
        return step.draw(k, context, lambda count, exhausted: self.take(count, context, exhausted, among))

    def take(
        self, count: int, context: CurriculumContext, exhausted: Flags, among: Flags | None = None
    ) -> Indices:
        """Up to `count` positions that are not exhausted, which count as drawn from now on; none if there is
        none."""
        slots = self._index.slots(context.pool.subjects)
        self._drawn = grown(self._drawn, len(self._index), False)  # type: ignore[assignment]
        open_ = ~exhausted if among is None else among & ~exhausted
        left = np.flatnonzero(open_ & ~self._drawn[slots])
        if not len(left):
            left = np.flatnonzero(open_)
            if not len(left):
                return left
            self._drawn[slots if among is None else slots[among]] = False
        picks: Indices = context.rng.choice(left, size=min(count, len(left)), replace=False)
        self._drawn[slots[picks]] = True
        return picks

    def drawn(self) -> list[str]:
        """Ids drawn in the current epoch, sorted."""
        return sorted(self._index.ids[slot] for slot in np.flatnonzero(self._drawn).tolist())
