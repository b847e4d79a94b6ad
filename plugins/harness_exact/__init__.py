"""Verifiers that compare plain strings and integers: cheap, bounded, without any parsing of mathematics."""

from harness import hookimpl
from harness.plugging import Register

#: Modules that other plugins may import.
PUBLIC = ("verdicts",)


@hookimpl
def register_verifiers(register: Register) -> None:
    register(
        "exact",
        "harness_exact.exact:Exact",
        options="harness_exact.exact:ExactOptions",
        capabilities={"bounded": True, "in_process": True},
        summary="the whole completion equals the answer",
    )
    register(
        "last-number",
        "harness_exact.last_number:LastNumber",
        options="harness_exact.last_number:LastNumberOptions",
        capabilities={"bounded": True, "in_process": True},
        summary="the last boxed answer or the last number of the text equals the answer",
    )
