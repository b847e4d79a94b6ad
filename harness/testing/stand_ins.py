"""Plugins that a trainer's suite needs and no recipe should: loaded for its runs alone."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from harness.contract.hookspecs import hookimpl
from harness.contract.protocols import BuildContext, CurriculumContext
from harness.contract.records import Difficulty, StepMetrics, Task
from harness.contract.samples import Group
from harness.plugging.loading import Entry, load_one
from harness.plugging.plugins import Plugins, Register
from harness.plugging.registry import DISTRIBUTION

PLAIN_CREDIT: Final = "conformance-plain-credit"
AGAIN: Final = "conformance-again"


class PlainCredit:
    """The advantages as they are, written out per token (protocol `Shaper`)."""

    def __init__(self, options: None, context: BuildContext) -> None:
        pass

    def rewards(self, group: Group, label: Difficulty | None) -> Sequence[float | None]:
        return group.rewards

    def advantages(self, group: Group, label: Difficulty | None) -> Sequence[Sequence[float]]:
        return [[sample.advantage] * sample.tokens for sample in group.samples]


class Again:
    """Every subject in turn, and the oldest stored group with each step (protocol `Curriculum`)."""

    def __init__(self, options: None, context: BuildContext) -> None:
        self._drawn = 0

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        subjects = context.pool.subjects
        first, self._drawn = self._drawn, self._drawn + k
        return [context.pool.draw(subjects[i % len(subjects)]) for i in range(first, first + k)]

    def replay(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Group]:
        return () if context.store is None else context.store.groups()[:1]

    def observe(self, group: Group) -> None:
        """Learns nothing."""

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"drawn": self._drawn}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._drawn = int(state["drawn"])


@hookimpl
def register_shapers(register: Register) -> None:
    register(
        PLAIN_CREDIT,
        f"{__name__}:PlainCredit",
        capabilities={"token_credit": True},
        summary="the advantages as they are, per token",
    )


@hookimpl
def register_curricula(register: Register) -> None:
    register(
        AGAIN,
        f"{__name__}:Again",
        capabilities={"replay": True},
        summary="every subject in turn, and the oldest stored group with each step",
    )


def offer(plugins: Plugins) -> None:
    """Load this module as a plugin, once; no entry point names it."""
    entry = Entry("conformance", DISTRIBUTION, version(DISTRIBUTION), lambda: sys.modules[__name__])
    if entry.full_name not in {status.full_name for status in plugins.statuses}:
        plugins.statuses.append(load_one(entry, plugins.registry, plugins.manager))
