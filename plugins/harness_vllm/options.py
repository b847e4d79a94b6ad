"""Options of the engine `vllm`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from harness.recipe import Count, Model, Seconds


class VllmOptions(Model):
    """How many vLLM replicas run, and how. Options that are not set are taken from the recipe."""

    python: str | None = None
    """Python interpreter of the environment that has vLLM; `~` and `$NAME` are expanded. If not set, this
    one."""
    replicas: Count = 1
    """Number of processes, each with the whole model."""
    tensor_parallel: Count = 1
    """GPUs per replica."""
    prompt: Literal["chat", "raw"] | None = None
    """How messages become a prompt: `chat` renders them with the tokenizer's chat template, `raw` joins
    their texts. If not set, `model.prompt` of the recipe decides."""
    precision: Literal["fp32", "bf16"] | None = None
    """Precision of the weights and of computing. If not set, `resources.precision` of the recipe decides."""
    eager: bool = False
    """Whether vLLM runs without CUDA graphs and compilation. It then starts sooner and generates more
    slowly."""
    concurrency: Count | None = None
    """Most requests under way per replica. If not set, twice as many as vLLM runs at once
    (`max_num_seqs`), so that the next ones lie there when others end."""
    restarts: Annotated[int, Field(ge=0)] = 1
    """How many times a dead replica is started again during one call of `generate`."""
    start_seconds: Seconds = 900.0
    """Longest start of a replica, in seconds."""
    stall_seconds: Seconds = 300.0
    """Seconds without a step after which a replica that has requests counts as dead."""
    engine: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of vLLM's `EngineArgs`, such as `{gpu_memory_utilization = 0.8}`."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Environment variables of the replicas, by name, such as `{VLLM_CPU_KVCACHE_SPACE = "4"}`."""
