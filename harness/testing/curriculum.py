"""What every curriculum must do."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

import numpy as np
import pytest

from harness.contract.members import member
from harness.contract.protocols import Curriculum, CurriculumContext
from harness.contract.records import Task
from harness.contract.seeds import generator
from harness.plugging.plugins import Plugins
from harness.testing.groups import all_sorts, group_of
from harness.testing.plugin import Build
from harness.testing.pools import MemoryPool
from harness.testing.stateful import reborn
from harness.training import border

#: The stage's group size.
GROUP: Final = 8


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

    @pytest.fixture
    def sized(self, harness_plugins: Plugins) -> bool:
        """Whether it declares that it asks for groups of its own size."""
        return bool(
            harness_plugins.registry.find("curricula", self.name).capabilities.get("group_sizes", False)
        )

    @staticmethod
    def choose(curriculum: Curriculum, pool: MemoryPool, step: int, k: int, draw: int = 1) -> Any:
        """What it answers, as it is."""
        rng = generator("conformance", "stage", step, draw)
        return curriculum.next(k, CurriculumContext("stage", step, pool, rng))

    def draw(
        self, curriculum: Curriculum, pool: MemoryPool, step: int, k: int, draw: int = 1
    ) -> Sequence[Task]:
        """The tasks that it chooses."""
        chosen = self.choose(curriculum, pool, step, k, draw)
        return [ask.task for ask in border.tasks(chosen, GROUP, self.name)]

    def play(
        self, make: Build, steps: int, *, k: int = 6, break_at: int | None = None, endless: bool = True
    ) -> list[list[str]]:
        """Task ids of some steps, with outcomes observed; the state goes through JSON at `break_at`."""
        curriculum, pool, drawn = make(), self.pool(endless=endless), []
        for step in range(1, steps + 1):
            if step == break_at:
                curriculum = reborn(curriculum, make)
            tasks = self.draw(curriculum, pool, step, k)
            wanted = k if endless else 1
            assert len(tasks) >= wanted, (
                f"{len(tasks)} tasks instead of {k} at step {step} of a pool that has more"
            )
            drawn.append([task.id for task in tasks])
            for i, task in enumerate(tasks):
                curriculum.observe(replace(group_of(task.subject, (step + i) % 9, step=step), task=task.id))
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
        assert self.play(make, 6, break_at=break_at, endless=endless) == whole, (
            f"it draws otherwise after its state went through JSON at step {break_at}: "
            "state_dict leaves something out, or load_state_dict does not take it back"
        )

    @pytest.mark.parametrize("k", [1, 7, 50])
    def test_an_endless_pool_gives_as_many_tasks_as_asked(self, make: Build, k: int) -> None:
        tasks = self.draw(make(), self.pool(), 1, k)
        assert len(tasks) == k, f"{len(tasks)} tasks instead of {k} from a pool without an end"
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
        tasks = self.draw(curriculum, pool, 1, 20)
        assert len(tasks) == 20, f"{len(tasks)} tasks instead of 20 after a group without any outcome"
        assert {task.subject for task in tasks} <= set(self.rates)

    @pytest.mark.parametrize("endless", [True, False])
    def test_groups_of_every_sort_are_no_trouble(self, make: Build, endless: bool) -> None:
        """Alike rewards, masked samples, groups of any size, extended, replayed and without text."""
        curriculum, pool = make(), self.pool(endless=endless)
        for step in (1, 2, 3):
            tasks = self.draw(curriculum, pool, step, 6)
            wanted = 6 if endless else 1
            assert len(tasks) >= wanted, f"{len(tasks)} tasks instead of 6 at step {step} after such groups"
            for text in (True, False):
                groups = all_sorts(step, text=text)
                for group, task in zip(groups, [*tasks, *tasks, *tasks], strict=False):
                    curriculum.observe(replace(group, task=task.id, subject=task.subject))
        json.dumps(curriculum.state_dict(), allow_nan=False)

    def test_groups_are_as_large_as_declared(self, make: Build, sized: bool) -> None:
        """Only a curriculum with the capability `group_sizes` may ask for groups of its own size."""
        curriculum, pool = make(), self.pool()
        for step in (1, 2, 3):
            asks = border.tasks(self.choose(curriculum, pool, step, 6), GROUP, self.name)
            assert sized or all(ask.n == GROUP for ask in asks), (
                f"it asks for groups of {[ask.n for ask in asks]} samples instead of {GROUP} without the "
                "capability 'group_sizes'"
            )
            groups = [
                replace(group_of(ask.task.subject, i % (ask.n + 1), ask.n, step=step), task=ask.task.id)
                for i, ask in enumerate(asks)
            ]
            for group in groups:
                curriculum.observe(group)
            context = CurriculumContext("stage", step, pool, generator("conformance", "stage", step, 2))
            more = border.tasks(member("curricula", curriculum, "more")(groups, context), GROUP, self.name)
            assert sized or not more, "it asks for more samples without the capability 'group_sizes'"
            answered = {group.task for group in groups}
            unknown = [ask.task.id for ask in more if ask.task.id not in answered]
            assert not unknown, f"it asks for more samples of {unknown}, which were not answered in this step"

    def test_subjects_without_a_label_are_no_trouble(self, make: Build) -> None:
        pool = self.pool()
        pool.labels = dict(list(pool.labels.items())[:1])
        assert len(self.draw(make(), pool, 1, 5)) == 5

    def test_it_does_not_end_a_stage_that_has_not_begun(self, make: Build) -> None:
        assert make().finished([]) is None


def _same(context: CurriculumContext) -> CurriculumContext:
    return context
