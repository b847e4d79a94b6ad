"""Which tasks a step is about, how many samples each group gets, and which numbers these have.

A task met twice in a step gets the next sample numbers, so that it draws anew. A curriculum may ask for
groups of any size, and for more samples of a task that was answered in this step.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.contract.errors import PluginError, TrainingError
from harness.contract.protocols import Ask, Curriculum, CurriculumContext, Slot, Store
from harness.contract.records import Request, RolloutKey, Task
from harness.contract.samples import Group
from harness.contract.seeds import generator
from harness.recipe import Stage
from harness.tasks.pool import StagePool, TaskPool
from harness.training import border


class Drawing:
    """The tasks of one step after the other.

    Args:
        stream: name of the run's random stream.
        stage: the stage.
        pool: all tasks of the run, and `selected` those of the stage.
        curriculum: chooses among them.
        store: its group store, None without one.
    """

    def __init__(
        self,
        stream: str,
        stage: Stage,
        pool: TaskPool,
        selected: StagePool,
        curriculum: Curriculum,
        store: Store | None,
    ) -> None:
        self._stream, self._stage, self._curriculum, self._store = stream, stage, curriculum, store
        self._labels = selected.labels
        self.mixture = mixture_of(pool, stage, selected)
        self._selected = selected
        self.begin()

    def begin(self) -> None:
        """A new step."""
        #: Random streams of this step so far, by what they were for.
        self._streams: Counter[str] = Counter()
        self.tasks: dict[str, Task] = {}
        self._waiting: dict[str, deque[Slot]] = defaultdict(deque)
        self._numbered: Counter[str] = Counter()
        self._groups: Counter[str] = Counter()
        #: Slots that were handed out, by task and sample number.
        self._slots: dict[tuple[str, int], Slot] = {}

    def next(self, count: int, step: int, rollouts_left: int | None) -> list[Task]:
        """Up to `count` tasks, as far as the budget allows."""
        size = self._stage.rollout.n
        if rollouts_left is not None:
            count = min(count, rollouts_left // size)
        asks: list[Ask] = []
        for pool, wanted in zip(self.mixture.pools, self.mixture.split(count), strict=True):
            if wanted:
                context = self.context(step, "next", pool)
                asks += border.tasks(self._curriculum.next(wanted, context), size, self._name)
        return [self._taken(ask) for ask in affordable(asks, rollouts_left, least=2)]

    def more(
        self, asks: Sequence[Task | Ask], groups: Sequence[Group], rollouts_left: int | None
    ) -> list[Task]:
        """The tasks of this step whose last group is to have more samples.

        Raises:
            PluginError: a task was not answered in this step.
        """
        answered = {group.task: group for group in groups}
        wanted = affordable(border.tasks(asks, self._stage.rollout.n, self._name), rollouts_left)
        for ask in wanted:
            if ask.task.id not in answered:
                raise PluginError(
                    f"asks for more samples of task {ask.task.id!r}, which was not answered in this step",
                    where=f"curriculum {self._name!r}",
                )
        return [self._taken(ask, answered[ask.task.id].index) for ask in wanted]

    def context(self, step: int, purpose: str, pool: StagePool | None = None) -> CurriculumContext:
        """What the curriculum is given when it is asked for tasks (`next`), for `more` of them or for a
        `replay`; each time with a random stream of its own. `pool` is a part of the stage's."""
        self._streams[purpose] += 1
        which = (self._streams[purpose],) if purpose == "next" else (purpose, self._streams[purpose])
        rng = generator(self._stream, "curriculum", self._stage.name, step, *which)
        size = self._stage.rollout.n
        return CurriculumContext(self._stage.name, step, pool or self._selected, rng, self._store, size)

    def slots(self, tasks: Sequence[Task]) -> list[Slot]:
        """The next slot of each task, in the order of the draws.

        Raises:
            TrainingError: a task was not handed out, or its samples were asked for already.
        """
        made = []
        for task in tasks:
            waiting = self._waiting.get(task.id)
            if not waiting:
                raise TrainingError(
                    f"task {task.id!r} was not handed out in this step, or not so often",
                    where="session.requests",
                )
            slot = waiting.popleft()
            for number in slot.samples:
                self._slots[task.id, number] = slot
            made.append(slot)
        return made

    def requests(self, slot: Slot, step: int) -> list[Request]:
        """The slot's requests, keyed and thereby seeded."""
        task, stage = slot.task, self._stage
        label = self._labels.get(task.subject)
        return [
            Request(
                RolloutKey(self._stream, "train", stage.name, step, task.id, number),
                task.prompt, stage.rollout.sampling, domain=task.domain, tags=task.tags, label=label,
            )
            for number in slot.samples
        ]  # fmt: skip

    def slot_of(self, task_id: str, sample: int) -> Slot | None:
        """The slot that a rollout belongs to; None if it was never asked for."""
        return self._slots.get((task_id, sample))

    @property
    def _name(self) -> str:
        return self._stage.curriculum.name

    def _taken(self, ask: Ask, index: int | None = None) -> Task:
        task = ask.task
        first = self._numbered[task.id]
        self._numbered[task.id] += ask.n
        joins = index is not None
        if index is None:
            index = self._groups[task.id]
            self._groups[task.id] += 1
        self.tasks[task.id] = task
        self._waiting[task.id].append(Slot(task, range(first, first + ask.n), index, joins))
        return task


def affordable(asks: Sequence[Ask], rollouts_left: int | None, *, least: int = 1) -> list[Ask]:
    """The first of them whose samples the budget still allows; the last one gets what is left, if that is at
    least so many samples."""
    if rollouts_left is None:
        return list(asks)
    taken: list[Ask] = []
    for ask in asks:
        n = min(ask.n, rollouts_left)
        if n < min(ask.n, least):
            break
        taken.append(replace(ask, n=n))
        rollouts_left -= n
    return taken


@dataclass(slots=True)
class Mixture:
    """The parts of a batch: one pool per tag or domain, with its share and how many tasks it gave so far."""

    pools: Sequence[StagePool]
    shares: Sequence[float]
    given: list[int]

    def split(self, count: int) -> list[int]:
        """How many of the next `count` tasks each part gives: one by one from the part furthest behind its
        share, so that shares hold over steps, refills included."""
        before = list(self.given)
        for _ in range(count):
            total = sum(self.given) + 1
            behind = [share * total - given for share, given in zip(self.shares, self.given, strict=True)]
            self.given[behind.index(max(behind))] += 1
        return [after - start for after, start in zip(self.given, before, strict=True)]


def mixture_of(pool: TaskPool, stage: Stage, selected: StagePool) -> Mixture:
    """The stage's mixture over its selected subjects.

    A tag that a rule gives is on no subject while no label fits; its share then goes to the other parts.

    Raises:
        TrainingError: no subject has one of its other tags or domains, or none has any of them.
    """
    if not stage.mixture:
        return Mixture((selected,), (1.0,), [0])
    about = [pool.describe(subject) for subject in selected.subjects]
    where = f"stages.{stage.name}.mixture"
    pools, shares = [], []
    for name, share in stage.mixture.items():
        members = [a.id for a in about if name in a.tags or name == a.domain]
        if members:
            pools.append(StagePool(pool, members, selected.labels))
            shares.append(share)
        elif name not in pool.ruled:
            raise TrainingError(f"no selected subject has the tag or domain {name!r}", where=where)
    if not pools:
        raise TrainingError("no selected subject has any of its tags", where=where)
    total = sum(shares)
    return Mixture(pools, [share / total for share in shares], [0] * len(pools))
