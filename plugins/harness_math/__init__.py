"""Verifier `math`: extraction of our own, a cheap exact path, math-verify as the last comparator."""

from harness import hookimpl
from harness.plugging import Register

#: Modules that other plugins may import.
PUBLIC = ("choices", "extract")


@hookimpl
def register_verifiers(register: Register) -> None:
    register(
        "math",
        "harness_math.verifier:Math",
        options="harness_math.options:MathOptions",
        capabilities={
            "bounded": True,
            "preload": ["harness_math.warm"],
            "same_answer": "harness_math.votes:same_answer",
        },
        extra="math",
        summary="mathematical equality of the final answer: LaTeX, numbers, sets, intervals, units",
    )
