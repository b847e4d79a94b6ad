"""What every metric over a benchmark's samples must do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import pytest

from harness.contract.protocols import Metric, ScoredSample
from harness.contract.records import Message, PolicyRef, Rollout, RolloutKey, Sampling, Status, Task, Verdict
from harness.testing.plugin import Build
from harness.testing.refusing import refusal


class MetricConformance:
    """Subclass with the registered name and options."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: Samples per problem that it is given.
    n: ClassVar[int] = 8
    #: Whether it stays the same if samples of a problem change places.
    ordered: ClassVar[bool] = False

    @pytest.fixture
    def metric(self, harness_build: Build) -> Metric:
        metric: Metric = harness_build("metrics", self.name, **self.options)
        return metric

    def samples(self, *passes: int) -> list[ScoredSample]:
        """`n` judged samples of one problem for each of `passes`, of which so many pass."""
        return [
            self.sample(f"p{i}", sample, "pass" if sample < count else "fail")
            for i, count in enumerate(passes)
            for sample in range(self.n)
        ]

    @staticmethod
    def sample(problem: str, number: int, status: Status) -> ScoredSample:
        task = Task(
            id=problem, prompt=(Message("user", f"problem {problem}"),), verifier="exact", answer="42",
            tags=(f"level={len(problem)}",),
        )  # fmt: skip
        rollout = Rollout(
            key=RolloutKey("run", "eval", "", 0, problem, number), prompt_ids=(1,),
            completion_ids=tuple(range(2 + number)), text="42" if status == "pass" else "24", finish="stop",
            policy=PolicyRef(weights_sha="0"), sampling=Sampling(),
        )  # fmt: skip
        score = float(status == "pass")
        return ScoredSample(
            task,
            rollout,
            Verdict(
                status=status, score=score, verifier="exact", verifier_hash="0", extracted=rollout.text
            ),
        )  # fmt: skip

    def values(self, metric: Metric, samples: Sequence[ScoredSample]) -> dict[str, float]:
        """The metric's numbers, held against the protocol."""
        values = metric(samples)
        assert isinstance(values, Mapping), f"returned {type(values).__name__}; allowed: names to numbers"
        assert values, "returned no number at all"
        for name, value in values.items():
            assert isinstance(name, str), f"the name {name!r} is no text"
            number = float(value)
            assert math.isfinite(number), f"{name} is {number}"
        return {name: float(value) for name, value in values.items()}

    @pytest.mark.parametrize("passes", ["none", "all", "some"])
    def test_finite_numbers_by_name(self, metric: Metric, passes: str) -> None:
        """Also if all samples are alike."""
        counts = {"none": (0, 0, 0), "all": (self.n,) * 3, "some": (0, self.n, self.n // 2)}[passes]
        self.values(metric, self.samples(*counts))

    def test_the_same_samples_give_the_same_numbers(self, metric: Metric, harness_build: Build) -> None:
        samples = self.samples(1, self.n // 2, self.n)
        first = self.values(metric, samples)
        assert self.values(metric, samples) == first, "the second call gave other numbers"
        again = harness_build("metrics", self.name, **self.options)
        assert self.values(again, samples) == first, "another object of it gave other numbers"

    def test_it_does_not_depend_on_the_order_of_problems(self, metric: Metric) -> None:
        samples = self.samples(1, self.n // 2, self.n)
        n = self.n
        turned = [*samples[2 * n :], *samples[n : 2 * n], *samples[:n]]
        assert self.values(metric, turned) == pytest.approx(self.values(metric, samples)), "problems turned"
        if not self.ordered:
            mixed = self.values(metric, samples[::-1])
            assert mixed == pytest.approx(self.values(metric, samples)), "samples of a problem turned"

    def test_every_problem_counts(self, metric: Metric) -> None:
        assert self.values(metric, self.samples(0, 0)) != self.values(metric, self.samples(self.n, self.n)), (
            "no number depends on what passed"
        )

    def test_too_few_samples_are_refused_in_words_or_counted(self, metric: Metric) -> None:
        few = [self.sample("p0", 0, "pass"), self.sample("p1", 0, "fail")]
        for samples in (few, []):
            error = refusal(partial(metric, samples))
            assert not error or "metric" in error, (
                f"the error does not say that a metric is to blame: {error}"
            )
