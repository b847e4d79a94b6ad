"""What every filter of tasks must do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from harness.contract.protocols import TaskFilter
from harness.contract.records import Task
from harness.testing.plugin import Build


class TaskFilterConformance:
    """Subclass with the registered name, and tasks that it keeps and drops."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    kept: ClassVar[Sequence[Task]]
    dropped: ClassVar[Sequence[Task]]

    @pytest.fixture
    def made(self, harness_build: Build) -> TaskFilter:
        made: TaskFilter = harness_build("task_filters", self.name, **self.options)
        return made

    def decide(self, made: TaskFilter, task: Task) -> bool:
        decision = made.keep(task)
        assert isinstance(decision, bool), f"keep returned {decision!r} for {task.id!r}; allowed: True, False"
        return decision

    def test_it_keeps_and_drops_what_it_should(self, made: TaskFilter) -> None:
        assert self.kept, "give the suite tasks that it keeps: a filter that drops all tasks is no use"
        assert self.dropped, "give the suite tasks that it drops: a filter that keeps all tasks is no use"
        for task in self.kept:
            assert self.decide(made, task), f"it drops {task.id!r}, which it should keep"
        for task in self.dropped:
            assert not self.decide(made, task), f"it keeps {task.id!r}, which it should drop"

    def test_a_task_is_judged_by_itself(self, made: TaskFilter, harness_build: Build) -> None:
        """A resumed run asks again, and in whatever order: a filter has no memory."""
        tasks = [*self.kept, *self.dropped]
        first = [self.decide(made, task) for task in tasks]
        backwards = [self.decide(made, task) for task in reversed(tasks)]
        assert backwards[::-1] == first, "it decides by what it saw before"
        again = harness_build("task_filters", self.name, **self.options)
        assert [self.decide(again, task) for task in tasks] == first
