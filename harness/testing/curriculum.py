"""What every curriculum must do."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from harness.protocols import Curriculum, CurriculumContext
from harness.records import Task
from harness.seeds import generator
from harness.testing.plugin import Build
from harness.testing.pools import MemoryPool, group_of


class CurriculumConformance:
    """Subclass with the registered name, and options if the defaults do not suit `rates`."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: Measured pass rates of the pool that it is tried on; it must find something to draw in it.
    rates: ClassVar[Mapping[str, float]] = {f"s{i:02d}": i / 19 for i in range(20)}

    @pytest.fixture
    def make(self, harness_build: Build) -> Build:
        def make() -> Curriculum:
            curriculum: Curriculum = harness_build("curricula", self.name, **self.options)
            return curriculum

        return make

    def pool(self, *, endless: bool = True) -> MemoryPool:
        return MemoryPool(self.rates, endless=endless)

    @staticmethod
    def draw(curriculum: Curriculum, pool: MemoryPool, step: int, k: int, draw: int = 1) -> Sequence[Task]:
        rng = generator("conformance", "stage", step, draw)
        return curriculum.next(k, CurriculumContext("stage", step, pool, rng))

    def play(
        self, make: Build, steps: int, *, k: int = 6, break_at: int | None = None, endless: bool = True
    ) -> list[list[str]]:
        """Task ids of some steps, with outcomes observed; the state goes through JSON at `break_at`."""
        curriculum, pool, drawn = make(), self.pool(endless=endless), []
        for step in range(1, steps + 1):
            if step == break_at:
                state = json.loads(json.dumps(curriculum.state_dict()))
                curriculum = make()
                curriculum.load_state_dict(state)
            tasks = self.draw(curriculum, pool, step, k)
            drawn.append([task.id for task in tasks])
            for i, task in enumerate(tasks):
                curriculum.observe(group_of(task.subject, (step + i) % 9, step=step))
        return drawn

    @pytest.mark.parametrize("endless", [True, False])
    def test_all_randomness_comes_from_the_context(self, make: Build, endless: bool) -> None:
        random.seed(1)
        np.random.seed(1)
        first = self.play(make, 6, endless=endless)
        random.seed(2)
        np.random.seed(2)
        assert self.play(make, 6, endless=endless) == first

    @pytest.mark.parametrize("endless", [True, False])
    @pytest.mark.parametrize("break_at", [1, 2, 5])
    def test_a_restored_state_goes_on_as_if_unbroken(self, make: Build, break_at: int, endless: bool) -> None:
        whole = self.play(make, 6, endless=endless)
        assert self.play(make, 6, break_at=break_at, endless=endless) == whole

    @pytest.mark.parametrize("k", [1, 7, 50])
    def test_an_endless_pool_gives_as_many_tasks_as_asked(self, make: Build, k: int) -> None:
        tasks = self.draw(make(), self.pool(), 1, k)
        assert len(tasks) == k
        assert {task.subject for task in tasks} <= set(self.rates)
        assert len({task.id for task in tasks}) == k

    def test_a_finite_pool_gives_no_task_twice_in_a_step(self, make: Build) -> None:
        curriculum, pool = make(), self.pool(endless=False)
        for step in (1, 2, 3):
            ids = [task.id for task in self.draw(curriculum, pool, step, 200)]
            ids += [task.id for task in self.draw(curriculum, pool, step, 200, draw=2)]
            assert 0 < len(ids) <= len(self.rates)
            assert len(set(ids)) == len(ids)

    def test_groups_of_unknown_subjects_and_lost_rollouts_are_no_trouble(self, make: Build) -> None:
        curriculum, pool = make(), self.pool()
        curriculum.observe(group_of("never-heard-of", 3))
        curriculum.observe(group_of("s00", 0, lost=8))
        assert {task.subject for task in self.draw(curriculum, pool, 1, 20)} <= set(self.rates)

    def test_subjects_without_a_label_are_no_trouble(self, make: Build) -> None:
        pool = self.pool()
        pool.labels = {}
        assert len(self.draw(make(), pool, 1, 5)) == 5

    def test_it_does_not_end_a_stage_that_has_not_begun(self, make: Build) -> None:
        assert make().finished([]) is None
