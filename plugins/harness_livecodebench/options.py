"""Options of the benchmark and of its two graders."""

from __future__ import annotations

from harness_benchmarks.options import BenchmarkOptions
from harness_code.verifier import CodeOptions
from pydantic import Field


class LiveCodeBenchOptions(BenchmarkOptions):
    """Where the rows of a release come from, and which of its problems are asked."""

    part: str = ""
    """Window of contest dates, `START..END` (YYYY-MM-DD; either side may be empty). It is written behind
    the benchmark's name: `livecodebench-v5@2024-08-01..2025-02-01`. Empty asks all problems."""


class GraderOptions(CodeOptions):
    """As the verifier `code`, with the limits of the benchmark's tests."""

    seconds: float = Field(default=6.0, gt=0)
    """CPU seconds per test, by default the published limit. Wall-clock time may be three times as long."""
    memory_mb: int = Field(default=1024, ge=64)
    """Memory per test, in MiB. The published harness has no such limit."""
    under_way: int = Field(default=0, ge=0)
    """Problems whose tests are held in memory at a time. 0 means two per slot of the sandbox."""


class ReferenceOptions(GraderOptions):
    """As those of `lcb-strict`."""
