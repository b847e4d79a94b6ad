"""The subjects that a run may train on, and the stream of tasks behind each.

A pool joins task sources, filters and held-out protection. Drawing is the only state: how far each
subject's stream has come, kept for the subjects that were touched, so a pool of a million tasks
costs their ids.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from harness.contract.errors import DataError, RecipeError
from harness.contract.members import member
from harness.contract.protocols import TaskFilter, TaskSource
from harness.contract.records import Difficulty, Task, digest, digest_all
from harness.recipe.rules import Labels, Rule, Subject

#: Tasks in a row that a filter may refuse before the source counts as exhausted.
MAX_REFUSED: Final = 1000
#: Subjects of an endless source whose first tasks stand for it in the data's hash.
SPREAD: Final = 256


class TaskPool:
    """All training tasks of a run."""

    def __init__(
        self,
        sources: Sequence[TaskSource],
        *,
        filters: Sequence[TaskFilter] = (),
        heldout: Collection[str] = (),
        verifier: str = "exact",
    ) -> None:
        """
        Args:
            sources: in the recipe's order.
            filters: a task must pass all of them.
            heldout: content hashes that must never be drawn.
            verifier: given to tasks whose source names none.
        """
        self._sources, self._filters, self._heldout = tuple(sources), tuple(filters), frozenset(heldout)
        self._verifier = verifier
        self.subjects: list[str] = []
        self._source_of: dict[str, TaskSource] | None = None if len(sources) == 1 else {}
        for source in sources:
            names = source.subjects()
            if filters and not source.endless:
                names = [n for n in names if all(keep.keep(source.draw(n, 0)) for keep in filters)]
            if self._source_of is not None:
                for name in names:
                    if name in self._source_of:
                        raise RecipeError(
                            f"two task sources have a subject {name!r}", where="tasks.train",
                            hint="give them other strata or ids, by their options",
                        )  # fmt: skip
                    self._source_of[name] = source
            self.subjects.extend(names)
        if not self.subjects:
            raise DataError("the task sources have no tasks", where="tasks.train")
        self._drawn: dict[str, int] = {}
        self._tags: dict[str, frozenset[str]] = {}
        #: Names of the tags that rules give: with other labels they are on other subjects, or on none.
        self.ruled: frozenset[str] = frozenset()

    def source(self, subject: str) -> TaskSource:
        return self._sources[0] if self._source_of is None else self._source_of[subject]

    def draw(self, subject: str) -> Task:
        """The subject's next task; an endless source never repeats one and passes over held-out ones.

        Raises:
            RecipeError: the task of a finite source is a held-out one.
            DataError: filters or held-out protection refused too many tasks in a row.
        """
        source = self.source(subject)
        for _ in range(MAX_REFUSED):
            index = self._drawn.get(subject, 0)
            self._drawn[subject] = index + 1
            task = source.draw(subject, index)
            if not source.endless:
                self._refuse_heldout(task)
            elif self._is_heldout(task):
                continue
            if all(keep.keep(task) for keep in self._filters):
                return task if task.verifier else replace(task, verifier=self._verifier)
            if not source.endless:
                break
        raise DataError(
            f"filters and held-out sets leave no task of {subject!r}",
            where="tasks",
            hint="leave such subjects out with the stage's select rule, or loosen the filter",
        )

    def skip(self, subject: str, count: int) -> None:
        """Pass over tasks of an endless subject that are known already."""
        if self.source(subject).endless:
            self._drawn[subject] = self._drawn.get(subject, 0) + count

    def check_disjoint(self, at_most: int) -> None:
        """Look at every task of finite sources, if there are at most so many; the others are looked at
        when they are drawn.

        Raises:
            RecipeError: a training task is held out.
        """
        finite = [subject for subject in self.subjects if not self.source(subject).endless]
        if self._heldout and len(finite) <= at_most:
            for subject in finite:
                self._refuse_heldout(self.source(subject).draw(subject, 0))

    def finite_tasks(self) -> Iterator[tuple[TaskSource, Task]]:
        """Every task of a finite source, with its source."""
        for subject in self.subjects:
            source = self.source(subject)
            if not source.endless:
                task = source.draw(subject, 0)
                yield source, task if task.verifier else replace(task, verifier=self._verifier)

    def _is_heldout(self, task: Task) -> bool:
        return bool(self._heldout) and not self._heldout.isdisjoint(task.prompt_hashes)

    def _refuse_heldout(self, task: Task) -> None:
        if self._is_heldout(task):
            raise RecipeError(
                f"task {task.id!r} is a held-out task too: {task.prompt[-1].content[:80]!r}",
                where="tasks.train",
                hint="split the data, or leave the task out of evaluation.heldout",
            )

    def describe(self, subject: str) -> Subject:
        """What rules may ask about a subject, by a look at its first task."""
        task = self.source(subject).draw(subject, 0)
        tags = frozenset(task.tags) | self._tags.get(subject, frozenset())
        origin = task.meta.get("plain")
        plain = str(origin.get("subject", "")) if isinstance(origin, dict) else ""
        return Subject(subject, task.stratum, task.domain, tags, plain)

    def tag(self, rules: Mapping[str, Rule], labels: Labels) -> dict[str, int]:
        """Tag subjects by rules, in order, a later rule seeing the earlier ones' tags; returns how many
        subjects got each."""
        counts = {}
        self.ruled = frozenset(rules)
        self._tags = {}  # of labels that were measured before, by an uninterrupted run
        for name, rule in rules.items():
            matching = self.select(rule, labels, self.subjects)
            for subject in matching:
                self._tags[subject] = self._tags.get(subject, frozenset()) | {name}
            counts[name] = len(matching)
        return counts

    def select(self, rule: Rule | None, labels: Labels, among: Iterable[str]) -> list[str]:
        """Those subjects for which the rule holds, in the given order."""
        if rule is None:
            return list(among)
        describe = self.describe if rule.needs_task else Subject
        return [subject for subject in among if rule.matches(describe(subject), labels)]

    def verifiers(self) -> set[str]:
        """Names of the verifiers of all tasks, "" for the recipe's own: as a source says in an attribute
        `verifiers`, else by a look at every task, or at the first one of each stratum."""
        named: set[str] = set()
        for source in self._sources:
            known = member("task_sources", source, "verifiers")
            tasks = (source.draw(subject, 0).verifier for subject in source.subjects())
            named.update(tasks if known is None else known)
        return named

    def fingerprint(self) -> str:
        """Hash of the data: ids, and the content of every task of a finite source.

        A source that can tell its content at once says so by a method `fingerprint`; an endless one is a
        function of its options, of which the first tasks of some subjects tell enough.
        """
        return digest(digest_all(self.subjects), [self._content(source) for source in self._sources])

    def _content(self, source: TaskSource) -> str:
        known = member("task_sources", source, "fingerprint")()
        if known is not None:
            return str(known)
        subjects = source.subjects()
        if source.endless:
            subjects = subjects[:: max(1, len(subjects) // SPREAD)]
        return digest_all(source.draw(subject, 0).content_hash for subject in subjects)

    def state_dict(self) -> dict[str, Any]:
        return {"drawn": dict(self._drawn)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._drawn = {str(k): int(v) for k, v in state["drawn"].items()}


class StagePool:
    """What a curriculum sees: the selected subjects with the policy's labels (protocol `Pool`)."""

    def __init__(self, pool: TaskPool, subjects: Sequence[str], labels: Mapping[str, Difficulty]) -> None:
        self._pool, self.subjects, self.labels = pool, subjects, labels

    def draw(self, subject: str) -> Task:
        return self._pool.draw(subject)
