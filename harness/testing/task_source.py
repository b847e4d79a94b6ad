"""What every task source must do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from harness.contract.errors import HarnessError
from harness.contract.protocols import TaskSource
from harness.contract.records import Task, decode, encode
from harness.testing.plugin import Build


class TaskSourceConformance:
    """Subclass with the registered name and options."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: Options of the held-out split that belongs to it; None if the source has none.
    heldout: ClassVar[Mapping[str, Any] | None] = None
    #: At most so many subjects and, of an endless source, tasks of each are looked at.
    subjects_seen: ClassVar[int] = 8
    tasks_seen: ClassVar[int] = 20

    @pytest.fixture
    def source(self, harness_build: Build) -> TaskSource:
        source: TaskSource = harness_build("task_sources", self.name, **self.options)
        return source

    def tasks(self, source: TaskSource) -> dict[tuple[str, int], Task]:
        """Some of its tasks, spread over its subjects, by subject and index."""
        names = list(source.subjects())
        some = names[:: max(1, len(names) // self.subjects_seen)]
        indices = range(self.tasks_seen if source.endless else 1)
        return {(subject, i): source.draw(subject, i) for subject in some for i in indices}

    def test_it_has_subjects_each_once(self, source: TaskSource) -> None:
        names = list(source.subjects())
        assert names
        assert len(set(names)) == len(names)

    def test_drawing_is_pure(self, source: TaskSource, harness_build: Build) -> None:
        tasks = self.tasks(source)
        again = harness_build("task_sources", self.name, **self.options)
        for (subject, index), task in reversed(tasks.items()):
            assert source.draw(subject, index) == task
            assert again.draw(subject, index) == task

    def test_a_task_knows_its_subject_and_survives_json(self, source: TaskSource) -> None:
        for (subject, _), task in self.tasks(source).items():
            assert task.subject == subject
            assert (task.stratum is not None) == source.endless
            assert decode(encode(task), Task) == task
            assert task.prompt

    def test_a_task_is_found_again_by_its_id(self, source: TaskSource, harness_build: Build) -> None:
        again = harness_build("task_sources", self.name, **self.options)
        for task in self.tasks(source).values():
            assert again.get(task.id) == task

    def test_ids_tell_tasks_apart(self, source: TaskSource) -> None:
        tasks = self.tasks(source)
        assert len({task.id for task in tasks.values()}) == len(tasks)

    def test_an_endless_source_never_repeats_and_a_finite_one_always_does(self, source: TaskSource) -> None:
        names = list(source.subjects())
        subject = names[-1]
        drawn = [source.draw(subject, i) for i in range(self.tasks_seen)]
        hashes = {task.content_hash for task in drawn}
        wanted = len(drawn) if source.endless else 1
        assert len(hashes) == wanted, (
            f"{len(hashes)} different tasks in {len(drawn)} draws instead of {wanted}"
        )

    def test_what_it_never_had_is_refused_in_words(self, source: TaskSource) -> None:
        with pytest.raises(HarnessError, match="no-such-subject"):
            source.draw("no-such-subject", 0)
        with pytest.raises(HarnessError, match="no-such-task"):
            source.get("no-such-task")

    def test_splits_share_no_task(self, source: TaskSource, harness_build: Build) -> None:
        if self.heldout is None:
            pytest.skip("this source has no held-out split")
        other: TaskSource = harness_build("task_sources", self.name, **self.heldout)
        ours, theirs = self.tasks(source).values(), self.tasks(other).values()
        assert not {task.id for task in ours} & {task.id for task in theirs}
        assert not {task.content_hash for task in ours} & {task.content_hash for task in theirs}
