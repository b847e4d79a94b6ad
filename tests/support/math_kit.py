"""A verifier `math` at hand, for its tests."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from harness_math.options import MathOptions
from harness_math.verifier import Math

from harness.contract.protocols import BuildContext
from harness.contract.records import (
    AnswerSpec,
    Finish,
    Message,
    PolicyRef,
    Rollout,
    RolloutKey,
    Sampling,
    Task,
    Verdict,
)
from harness.recipe import Resources

#: Gold, answer: the one-line answers that stop graders.
STOPPERS = {
    "tower": ("25", "9^{9^{9^9}}"),
    "power": ("25", "2^{10^{8}}"),
    "factorial": ("25", "(10^{10})!"),
    "factorials": ("25", "((9!)!)!"),
    "sum": ("25", "\\sum_{k=1}^{10^9} \\frac{1}{k^2+k+1}"),
    "product": ("25", "\\prod_{k=1}^{100000} k"),
    "binomial": ("25", "\\binom{10^7}{5000000}"),
    "fractions": ("25", "\\frac{1}{1+" * 300 + "1" + "}" * 300),
    "sevens": ("25", "7" * 100_000),
    "long sum": ("25", "x+" * 50_000 + "x"),
    "open braces": ("25", "\\frac{1}{2}" + "{" * 2_000),
    "full width": ("25", "２５"),
    "Arabic": ("25", "٢٥"),
    "integral": ("25", "\\int_0^{1} \\sin(x^x)^{x^{\\sin x}} dx"),
    "gold tower": ("9^{9^{9^9}}", "9^{9^{9^9}}+1"),
}


def _no_building(kind: str, name: str, options: Any) -> Any:
    raise AssertionError(f"{kind} {name} was asked for")


@functools.cache
def verifier(**options: Any) -> Math:
    context = BuildContext(seed=0, cache=Path("unused"), data=None, build=_no_building, resources=Resources())
    built = Math(MathOptions(**options), context)
    built.open()
    return built


def task_of(answer: Any, **spec: Any) -> Task:
    return Task(
        id="t", prompt=(Message("user", "?"),), verifier="math", answer=answer, answer_spec=AnswerSpec(**spec)
    )


def rollout_of(text: str, finish: Finish = "stop") -> Rollout:
    return Rollout(
        key=RolloutKey("r", "eval", "", 0, "t", 0),
        prompt_ids=(),
        completion_ids=(),
        text=text,
        finish=finish,
        policy=PolicyRef(weights_sha="w"),
        sampling=Sampling(),
    )


def judged(answer: Any, prediction: str, **spec: Any) -> Verdict:
    """The verdict on a boxed prediction."""
    return verifier().verify(task_of(answer, **spec), rollout_of(f"So \\boxed{{{prediction}}}."))
