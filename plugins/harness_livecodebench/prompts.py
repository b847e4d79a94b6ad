"""How the benchmark asks: the format that a program is to have, as data of the benchmark.

Wording from LiveCodeBench's `lcb_runner/prompts/code_generation.py` at commit 28fef95 (MIT licence). What
stands around a question and its format is a profile's: `{problem}` and `{format}` in its prompt.
"""

from __future__ import annotations

from typing import Final

COMMIT: Final = "28fef95ea8c9f7a547c8329f2cd3d32b92c1fa24"
WITH_STARTER: Final = (
    "You will use the following starter code to write the solution to the problem and enclose your code "
    "within delimiters.\n```python\n{starter}\n```"
)
WITHOUT_STARTER: Final = (
    "Read the inputs from stdin solve the problem and write the answer to stdout (do not directly test on "
    "the sample inputs). Enclose your code within delimiters as follows. Ensure that when the python "
    "program runs, it reads the inputs, runs the algorithm and writes output to STDOUT.\n"
    "```python\n# YOUR CODE HERE\n```"
)


def format_of(starter: str) -> str:
    """The format section of a problem with this starter code, or with none."""
    return WITH_STARTER.replace("{starter}", starter) if starter else WITHOUT_STARTER
