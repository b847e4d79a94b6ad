"""Verifier `math`: extraction of our own, a cheap exact path, math-verify as the last comparator."""

from harness import hookimpl
from harness.plugins import Register


@hookimpl
def register_verifiers(register: Register) -> None:
    register(
        "math",
        "harness_math.verifier:Math",
        options="harness_math.options:MathOptions",
        capabilities={"bounded": True, "preload": ["harness_math.warm"]},
        extra="math",
        summary="mathematical equality of the final answer: LaTeX, numbers, sets, intervals, units",
    )
