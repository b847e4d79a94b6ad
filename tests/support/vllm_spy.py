"""A plugin beside a recipe (`harness_plugin.py`) that writes down what vLLM's `LLM` in a run's process did.

`vllm.jsonl` beside it gets a line a call of `generate`, with which `LLM` answered, and a line at the run's
end. `VLLM_SPY_KILL=stage:step` kills the run without notice after that step.
"""

from __future__ import annotations

import functools
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

from harness import hookimpl
from harness.contract.protocols import RunInfo
from harness.contract.records import Checkpoint, StepMetrics

HARNESS_API = (2, 0)
FILE = Path(__file__).with_name("vllm.jsonl")


def write(**line: Any) -> None:
    with FILE.open("a") as file:
        file.write(json.dumps(line) + "\n")


@hookimpl
def run_started(run: RunInfo) -> None:
    from vllm import LLM

    made: list[Any] = []
    init, generate = LLM.__init__, LLM.generate

    @functools.wraps(init)
    def watched_init(self: Any, **settings: Any) -> None:
        made.append(self)
        init(self, **settings)

    @functools.wraps(generate)
    def watched_generate(self: Any, prompts: Any, sampling_params: Any, **options: Any) -> Any:
        outputs = generate(self, prompts, sampling_params=sampling_params, **options)
        write(
            llm=made.index(self),
            temperature=sampling_params.temperature,
            max_tokens=sampling_params.max_tokens,
            shared=re.findall(r"/dev/shm/\S+", Path("/proc/self/maps").read_text()),
            served=[
                {
                    "prompt": list(output.prompt_token_ids),
                    "completion": list(one.token_ids),
                    "logprobs": [
                        at[token].logprob for token, at in zip(one.token_ids, one.logprobs, strict=True)
                    ],
                }
                for output in outputs
                for one in output.outputs
            ],
        )
        return outputs

    LLM.__init__, LLM.generate = watched_init, watched_generate


@hookimpl
def step_finished(run: RunInfo, metrics: StepMetrics) -> None:
    if os.environ.get("VLLM_SPY_KILL") == f"{metrics.stage}:{metrics.step}":
        os.kill(os.getpid(), signal.SIGKILL)


@hookimpl
def run_finished(run: RunInfo, checkpoint: Checkpoint) -> None:
    names = (
        "RANK",
        "LOCAL_RANK",
        "WORLD_SIZE",
        "LOCAL_WORLD_SIZE",
        "MASTER_ADDR",
        "MASTER_PORT",
        "LD_PRELOAD",
    )
    write(environment={name: os.environ[name] for name in names if name in os.environ})
