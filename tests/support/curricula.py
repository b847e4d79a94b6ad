"""Suites, draws and outcomes for tests of curricula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.contract import Ask, Curriculum, CurriculumContext, Group, Task
from harness.contract.seeds import generator
from harness.testing import CurriculumConformance, MemoryPool, group_of

#: A case: the registered name, and options.
Cases = Mapping[str, tuple[str, Mapping[str, Any]]]


def suites(cases: Cases) -> dict[str, type[CurriculumConformance]]:
    """A test class per case, to be added to a module's globals."""
    made = {}
    for case, (name, options) in cases.items():
        title = "Test" + "".join(part.capitalize() for part in case.split("-"))
        made[title] = type(title, (CurriculumConformance,), {"name": name, "options": dict(options)})
    return made


def context(pool: MemoryPool, step: int, draw: int = 1, stage: str = "s") -> CurriculumContext:
    return CurriculumContext(stage, step, pool, generator("test", stage, step, draw))


def tasks_of(chosen: Sequence[Task | Ask]) -> list[Task]:
    return [item.task if isinstance(item, Ask) else item for item in chosen]


def subjects(curriculum: Curriculum, pool: MemoryPool, step: int, k: int, draw: int = 1) -> list[str]:
    return [task.subject for task in tasks_of(curriculum.next(k, context(pool, step, draw)))]


def played(
    curriculum: Curriculum, pool: MemoryPool, steps: int, k: int, rates: Mapping[str, float]
) -> list[str]:
    """Subjects drawn over some steps with outcomes drawn by `rates`; groups of 8, without advantages."""
    drawn = []
    rng = generator("outcomes", steps, k)
    for step in range(1, steps + 1):
        for subject in subjects(curriculum, pool, step, k):
            curriculum.observe(advantaged(subject, int(rng.binomial(8, rates[subject])), step=step))
            drawn.append(subject)
    return drawn


def advantaged(subject: str, passes: int, size: int = 8, step: int = 1) -> Group:
    """A group with the advantages of GRPO without division by the standard deviation."""
    group = group_of(subject, passes, size, step=step)
    mean = passes / size
    return group.with_advantages([1 - mean] * passes + [-mean] * (size - passes))
