"""The engine `openai` with quick reactions, and what is asked of it, for tests against real servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness_openai.engine import OpenAIEngine
from harness_openai.options import OpenAIOptions

from harness.contract.records import Message, Request, Rollout, Sampling
from harness.recipe.errors import validated
from tests.support.builders import context, key

#: Quick reactions, for servers on this machine.
QUICK = {"backoff": 0.01, "health_every": 0.2, "patience": 1.0, "deadline": 20.0}


def engine(*servers: str, **options: Any) -> OpenAIEngine:
    values = {"servers": servers, "prompt": "raw"} | QUICK | options
    return OpenAIEngine(validated(OpenAIOptions, values, where="test"), context())


def asks(count: int = 8, *, prompt: str = "1+1=", **sampling: Any) -> list[Request]:
    how = Sampling(**({"max_tokens": 64} | sampling))
    return [Request(key(sample=i), (Message("user", prompt),), how) for i in range(count)]


def texts(rollouts: Sequence[Rollout]) -> dict[int, str]:
    return {r.key.sample: r.text for r in rollouts}
