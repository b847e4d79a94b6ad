"""Predict what a program prints, with rewards for traces that agree with its execution: CodeThinker
(arXiv 2605.17958)."""

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_task_sources(register: Register) -> None:
    register(
        "traced-programs",
        "harness_codethinker.source:TracedPrograms",
        options="harness_codethinker.source:SourceOptions",
        summary="small programs, each with its trace and what it prints; strata by number of statements",
    )


@hookimpl
def register_engines(register: Register) -> None:
    register(
        "beam",
        "harness_codethinker.beam:Beam",
        options="harness_codethinker.beam:BeamOptions",
        summary="a task's completions as one beam, under a budget of generated tokens",
    )


@hookimpl
def register_verifiers(register: Register) -> None:
    register(
        "steps",
        "harness_codethinker.verifier:Steps",
        capabilities={"in_process": True, "bounded": True},
        summary="what the program prints, and each step of the trace as a span",
    )
    register(
        "literal",
        "harness_codethinker.literal:Literal",
        capabilities={"in_process": True, "bounded": True},
        summary="a Python literal that equals the right one, as CRUXEval-O is scored",
    )


@hookimpl
def register_benchmarks(register: Register) -> None:
    register(
        "predict-output",
        "harness_codethinker.benchmark:PredictOutput",
        options="harness_codethinker.benchmark:ItemOptions",
        summary="held-out small programs: what do they print?",
    )
    register(
        "cruxeval-o",
        "harness_codethinker.benchmark:CruxEval",
        options="harness_codethinker.benchmark:CruxOptions",
        summary="CRUXEval's output prediction, from its public file",
    )


@hookimpl
def register_profiles(register: Register) -> None:
    register(
        "traces", "harness_codethinker.profiles:traces",
        summary="one greedy trace per program, rendered raw",
    )  # fmt: skip
    register(
        "cruxeval-o", "harness_codethinker.profiles:cruxeval_o",
        summary="CRUXEval-O with a chain of thought",
    )  # fmt: skip
