"""Verifiers that compare plain strings and integers: cheap, bounded, without any parsing of mathematics."""

from harness import hookimpl
from harness.plugins import Register


@hookimpl
def register_verifiers(register: Register) -> None:
    register(
        "exact",
        "harness_exact.exact:Exact",
        options="harness_exact.exact:ExactOptions",
        capabilities={"bounded": True, "in_process": True},
        summary="the whole completion equals the answer",
    )
