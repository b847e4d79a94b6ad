"""Options of the engine `vllm`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from harness.recipe.fields import Seconds
from harness.recipe.stage import Count, Model


class VllmOptions(Model):
    """How many replicas run, under which interpreter. What is None is taken from the recipe."""

    #: Interpreter of the environment that has vLLM; None for this one. `~` and `$NAME` are expanded.
    python: str | None = None
    #: Processes, each with the whole model.
    replicas: Count = 1
    #: GPUs of one replica.
    tensor_parallel: Count = 1
    #: `chat` renders prompts with the tokenizer's chat template, `raw` joins their texts.
    prompt: Literal["chat", "raw"] | None = None
    precision: Literal["fp32", "bf16"] | None = None
    #: No graphs and no compilation: starts sooner, generates more slowly.
    eager: bool = False
    #: Most requests under way at one replica.
    concurrency: Count = 256
    #: How often a replica that died is started again within one `generate`.
    restarts: Annotated[int, Field(ge=0)] = 1
    #: Longest start of a replica.
    start_seconds: Seconds = 900.0
    #: A replica that has requests and makes no step for so long is taken for dead.
    stall_seconds: Seconds = 300.0
    #: Further arguments of vLLM's `EngineArgs`, such as `gpu_memory_utilization`.
    engine: dict[str, Any] = Field(default_factory=dict)
    #: Environment variables of the replicas, such as `VLLM_CPU_KVCACHE_SPACE`.
    environment: dict[str, str] = Field(default_factory=dict)
