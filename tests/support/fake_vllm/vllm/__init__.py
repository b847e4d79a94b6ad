"""Stands in for vLLM where its processes are tested and not its numbers: a token is drawn from a hash."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

__version__ = "0"


class EngineArgs:
    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments
        if os.environ.get("FAKE_START") == "fails":
            raise RuntimeError("out of memory, says the stand-in")


@dataclass
class SamplingParams:
    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 16
    stop: list[str] = field(default_factory=list)
    logprobs: int | None = None
    output_kind: int = 0
