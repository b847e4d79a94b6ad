"""What every benchmark must do."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from harness.contract.protocols import Benchmark
from harness.contract.records import Task, decode, encode
from harness.testing.plugin import Build

#: Like "5-A": the number changes when scores stop being comparable, the letter with the interface.
VERSION = re.compile(r"\d+-[A-Z]")


class BenchmarkConformance:
    """Subclass with the registered name and options."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: How many problems it has; None leaves that open.
    problems: ClassVar[int | None] = None
    #: Problems that occur twice in the published data.
    repeated: ClassVar[int] = 0

    @pytest.fixture
    def make(self, harness_build: Build) -> Build:
        def make() -> Benchmark:
            benchmark: Benchmark = harness_build("benchmarks", self.name, **self.options)
            return benchmark

        return make

    def test_its_version_says_when_scores_compare(self, make: Build) -> None:
        version = getattr(make(), "version", None)
        assert isinstance(version, str), "it has no `version`"
        assert VERSION.fullmatch(version), f"version {version!r}; allowed: a number and a letter, like '5-A'"

    def test_it_has_problems_each_once(self, make: Build) -> None:
        tasks = list(make().tasks())
        assert tasks, "it has no problems"
        assert self.problems in (None, len(tasks)), f"{len(tasks)} problems instead of {self.problems}"
        twice = [name for name, count in Counter(task.id for task in tasks).items() if count > 1]
        assert not twice, f"ids that occur twice, so that their samples would be mixed: {twice[:3]}"
        alike = len(tasks) - len({task.content_hash for task in tasks})
        assert alike == self.repeated, f"{alike} problems occur twice instead of {self.repeated} (`repeated`)"

    def test_reading_it_again_gives_the_same_problems_in_the_same_order(self, make: Build) -> None:
        benchmark = make()
        first = list(benchmark.tasks())
        assert list(benchmark.tasks()) == first, "a second call gave other problems, or another order"
        assert list(make().tasks()) == first, "another object of it gave other problems, or another order"

    def test_problems_are_bare(self, make: Build) -> None:
        """The profile words and samples them: a benchmark gives the problem and its answer."""
        for task in make().tasks():
            assert task.prompt, f"{task.id!r} has no prompt"
            last = task.prompt[-1]
            assert last.role == "user", (
                f"{task.id!r} ends with a message of role {last.role!r}, not the user's"
            )
            assert last.content.strip(), f"{task.id!r} asks nothing"
            assert task.domain, f"{task.id!r} has no domain, so no profile can word it"
            assert task.stratum is None, f"{task.id!r} has a stratum, as only endless sources do"
            assert task.answer is not None, f"{task.id!r} has no answer"

    def test_problems_survive_json(self, make: Build) -> None:
        for task in make().tasks():
            assert decode(encode(task), Task) == task, f"{task.id!r} comes back otherwise from JSON"

    def test_it_says_where_its_rows_come_from_in_json(self, make: Build) -> None:
        origin = getattr(make(), "origin", {})
        assert json.loads(json.dumps(dict(origin))) == dict(origin), "origin is not JSON-like"
