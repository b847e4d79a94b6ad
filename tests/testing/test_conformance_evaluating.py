"""First-party benchmarks, profiles, metrics and reporters conform; those without their data say so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.contract.protocols import BuildContext
from harness.testing import (
    BenchmarkConformance,
    MetricConformance,
    ProfileConformance,
    ReporterConformance,
)
from tests.support.data import data_folder


class LocalBenchmark(BenchmarkConformance):
    """A benchmark of the catalogue whose rows lie in the folder of real data."""

    options = {"source": "local"}

    @pytest.fixture
    def build_context(self, build_context: BuildContext) -> BuildContext:
        return replace(build_context, data=data_folder())


class TestAime24(LocalBenchmark):
    name = "aime24"
    problems = 30


class TestAime25(LocalBenchmark):
    name = "aime25"
    problems = 30


class TestMath500(LocalBenchmark):
    name = "math500"
    problems = 500


class TestHumanEval(LocalBenchmark):
    name = "humaneval"
    problems = 164


class TestMbpp(LocalBenchmark):
    name = "mbpp"
    problems = 500


class TestR1Standard(ProfileConformance):
    name = "r1-standard"


class TestSeedPaper(ProfileConformance):
    name = "seed-paper"


class TestQwen3Thinking(ProfileConformance):
    name = "qwen3-thinking"


class TestGreedySmoke(ProfileConformance):
    name = "greedy-smoke"


class TestLcbChat(ProfileConformance):
    name = "lcb-chat"


class TestStability(MetricConformance):
    name = "g-pass"


class TestStabilityOfAllSamples(MetricConformance):
    name = "g-pass"
    options = {"k": 8, "thresholds": [0.25, 1.0]}


class TestPage(ReporterConformance):
    name = "page"


class TestMarkdown(ReporterConformance):
    name = "markdown"


class TestLeaderboard(ReporterConformance):
    name = "leaderboard"
