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
from vllm.sampling_params import RequestOutputKind
from vllm.usage.usage_lib import UsageContext

#: Requests at once, by who uses the engine.
SEQS = {UsageContext.LLM_CLASS: 16, UsageContext.ENGINE_CONTEXT: 8}


@dataclass
class _Output:
    request_id: str
    outputs: list[Any]
    finished: bool = True


class LLMEngine:
    """One token a request and step, of the first `max_num_seqs` requests."""

    def __init__(self, seconds: float, model: Path, seqs: int) -> None:
        self.seconds, self.seqs = seconds, seqs
        self.vllm_config = SimpleNamespace(scheduler_config=SimpleNamespace(max_num_seqs=seqs))
        #: Where each step's number of requests is written.
        self.log = os.environ.get("FAKE_LOG")
        tokenizer = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
        special = {token["id"] for token in tokenizer["added_tokens"]}
        self.text = {i: "" if i in special else word for word, i in tokenizer["model"]["vocab"].items()}
        self.open: dict[str, tuple[list[int], SamplingParams, list[int]]] = {}
        self.engine_core = SimpleNamespace(shutdown=lambda: None)

    @classmethod
    def from_engine_args(
        cls, arguments: EngineArgs, usage_context: UsageContext = UsageContext.ENGINE_CONTEXT
    ) -> LLMEngine:
        print("noise on standard output")
        seconds = float(os.environ.get("FAKE_SECONDS", "0.002"))
        seqs = arguments.arguments.get("max_num_seqs", SEQS[usage_context])
        return cls(seconds, Path(arguments.arguments["model"]), seqs)

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
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(f"{len(self.open)}\n")
        for number, (prompt, sampling, ids) in list(self.open.items())[: self.seqs]:
            seed = sampling.seed if sampling.temperature else 0
            drawn = hashlib.sha256(f"{[*prompt, *ids]}/{seed}".encode()).digest()[0] % 16
            ids.append(drawn)
            finish = "stop" if drawn == 1 else "length" if len(ids) == sampling.max_tokens else None
            if finish:
                del self.open[number]
                assert sampling.output_kind is RequestOutputKind.FINAL_ONLY
                asked = sampling.logprobs is not None
                logprobs = [{i: SimpleNamespace(logprob=-1.0)} for i in ids] if asked else None
                output = SimpleNamespace(
                    token_ids=ids, text="".join(self.text.get(i, "") for i in ids),
                    finish_reason=finish, logprobs=logprobs,
                )  # fmt: skip
                done.append(_Output(number, [output]))
        return done
