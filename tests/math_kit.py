"""A verifier `math` at hand, for its tests."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from harness_math.options import MathOptions
from harness_math.verifier import Math

from harness.protocols import BuildContext
from harness.recipe import Resources
from harness.records import (
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
