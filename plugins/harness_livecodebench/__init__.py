"""LiveCodeBench: its releases and date windows as benchmarks, its two graders, its prompts and errata."""

from __future__ import annotations

from harness import hookimpl
from harness.plugging import Register

RELEASES = ("v1", "v2", "v3", "v4", "v5", "v6")


@hookimpl
def register_benchmarks(register: Register) -> None:
    for release in RELEASES:
        for tests, summary in (("", "all tests"), ("-public", "the public tests alone: an upper bound")):
            register(
                f"livecodebench-{release}{tests}",
                f"harness_livecodebench.benchmark:{release}{tests.replace('-', '_')}",
                options="harness_livecodebench.options:LiveCodeBenchOptions",
                summary=f"LiveCodeBench's release {release}, {summary}; @START..END picks a date window",
            )


@hookimpl
def register_verifiers(register: Register) -> None:
    register(
        "lcb-strict",
        "harness_livecodebench.strict:StrictGrader",
        options="harness_livecodebench.options:GraderOptions",
        capabilities={"submits": True},
        summary="LiveCodeBench's tests with a real process and a real stdin for each",
    )
    register(
        "lcb-reference",
        "harness_livecodebench.reference:ReferenceGrader",
        options="harness_livecodebench.options:ReferenceOptions",
        capabilities={"submits": True},
        summary="LiveCodeBench's tests as its published harness runs and compares them, faults included",
    )


@hookimpl
def register_profiles(register: Register) -> None:
    register(
        "lcb-chat",
        "harness_livecodebench.benchmark:lcb_chat",
        summary="LiveCodeBench's own prompt and sampling for chat models: temperature 0.2, 10 samples",
    )
