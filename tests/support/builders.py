"""Records and contexts that many tests build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.contract.protocols import BuildContext
from harness.contract.records import Finish, Message, PolicyRef, Request, Rollout, RolloutKey, Sampling, Task
from harness.recipe import Resources


def nothing(kind: str, name: str, options: Any) -> Any:
    """A `build` for contexts whose factory must not ask for other plugins."""
    raise AssertionError(f"asked for {kind} {name!r} with {options}")


def context(**changes: Any) -> BuildContext:
    values = {
        "seed": 0,
        "cache": Path("no-such-cache"),
        "data": None,
        "build": nothing,
        "resources": Resources(),
    }
    return BuildContext(**(values | changes))


def task(answer: Any = "2", *, id: str = "t", prompt: str = "1+1=", **changes: Any) -> Task:
    values = {"verifier": "exact"} | changes
    return Task(id=id, prompt=(Message("user", prompt),), answer=answer, **values)


def key(task: str = "t", sample: int = 0, *, run: str = "r/a/0", step: int = 0) -> RolloutKey:
    return RolloutKey(run, "eval", "s", step, task, sample)


def rollout(text: str, finish: Finish = "stop", **changes: Any) -> Rollout:
    values: dict[str, Any] = {
        "key": key(),
        "prompt_ids": (),
        "completion_ids": (),
        "policy": PolicyRef(weights_sha="w"),
        "sampling": Sampling(),
    }
    return Rollout(text=text, finish=finish, **(values | changes))


def request(prompt: str = "1+1=", *, at: RolloutKey | None = None, max_tokens: int = 1024) -> Request:
    return Request(at or key(), (Message("user", prompt),), Sampling(max_tokens=max_tokens))
