"""Options of the benchmark and of its two graders."""

from __future__ import annotations

from harness_benchmarks.options import BenchmarkOptions
from harness_code.verifier import CodeOptions
from pydantic import Field


class LiveCodeBenchOptions(BenchmarkOptions):
    """Where a release's rows come from, and which of them are asked."""

    #: Date window `START..END` (YYYY-MM-DD, either side may be empty); it comes with the benchmark's name.
    part: str = ""


class GraderOptions(CodeOptions):
    """As the verifier `code`, with what the benchmark allows a test."""

    #: Seconds of CPU for a test, the published limit; the clock allows three times as much.
    seconds: float = Field(default=6.0, gt=0)
    #: The published harness has no limit.
    memory_mb: int = Field(default=1024, ge=64)
    #: Problems whose tests are held at a time; 0: two for each slot of the sandbox.
    under_way: int = Field(default=0, ge=0)


class ReferenceOptions(GraderOptions):
    """As `GraderOptions`."""
