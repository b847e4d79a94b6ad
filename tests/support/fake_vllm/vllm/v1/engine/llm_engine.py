from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from vllm import EngineArgs, SamplingParams


@dataclass
class _Output:
    request_id: str
    outputs: list[Any]
    finished: bool = True


class LLMEngine:
    """One token a request and step."""

    def __init__(self, seconds: float, model: Path) -> None:
        self.seconds = seconds
        tokenizer = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
        special = {token["id"] for token in tokenizer["added_tokens"]}
        self.text = {i: "" if i in special else word for word, i in tokenizer["model"]["vocab"].items()}
        self.open: dict[str, tuple[list[int], SamplingParams, list[int]]] = {}
        self.engine_core = SimpleNamespace(shutdown=lambda: None)

    @classmethod
    def from_engine_args(cls, arguments: EngineArgs) -> LLMEngine:
        print("noise on standard output")
        return cls(float(os.environ.get("FAKE_SECONDS", "0.002")), Path(arguments.arguments["model"]))

    def has_unfinished_requests(self) -> bool:
        return bool(self.open)

    def abort_request(self, ids: list[str]) -> None:
        for number in ids:
            self.open.pop(number, None)

    def add_request(self, number: str, prompt: dict[str, list[int]], sampling: SamplingParams) -> None:
        if prompt["prompt_token_ids"][0] == int(os.environ.get("FAKE_REFUSED", "-1")):
            raise ValueError("refused by the stand-in")
        self.open[number] = (prompt["prompt_token_ids"], sampling, [])

    def step(self) -> list[_Output]:
        if os.environ.get("FAKE_STALL"):
            time.sleep(3600)
        time.sleep(self.seconds)
        done = []
        for number, (prompt, sampling, ids) in list(self.open.items()):
            seed = sampling.seed if sampling.temperature else 0
            drawn = hashlib.sha256(f"{[*prompt, *ids]}/{seed}".encode()).digest()[0] % 16
            ids.append(drawn)
            finish = "stop" if drawn == 1 else "length" if len(ids) == sampling.max_tokens else None
            if finish:
                del self.open[number]
                logprobs = [{i: SimpleNamespace(logprob=-1.0)} for i in ids]
                output = SimpleNamespace(
                    token_ids=ids, text="".join(self.text.get(i, "") for i in ids),
                    finish_reason=finish, logprobs=logprobs,
                )  # fmt: skip
                done.append(_Output(number, [output]))
        return done
