"""TRL's vLLM in this process (`vllm_mode = "colocate"`): made once, kept for later stages, closed at the end.

TRL makes it as for a process of torchrun, and says so in the environment, where the next stage's
accelerate, and every program that the harness starts, would believe it. On a CPU, two more things are
needed for vLLM to follow the policy (`harness_vllm_cpu`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, Final

from harness_transformers.lora import LoraNetwork
from harness_transformers.network import Network

from harness.contract import TrainingError

#: Set by TRL and by vLLM's CPU platform while they make an engine, which reads them only then. The last
#: one preloads an allocator and torch's OpenMP into programs that have neither.
SET: Final = (
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LD_PRELOAD",
)  # fmt: skip


@contextlib.contextmanager
def making(config: Any) -> Iterator[None]:
    """While TRL makes what a `GRPOConfig` asks for.

    Raises:
        TrainingError: vLLM runs on a CPU, in a version that cannot be adapted.
    """
    if _colocates(config):
        _adapt()
    before = {name: os.environ.get(name) for name in SET}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def following(vllm: Any, config: Any, network: Network) -> Any:
    """A vLLM that `making` was around, which computes with the weights that TRL sends it, and leaves them
    as they were."""
    send, packs = vllm.sync_weights, _colocates(config)

    def sync_weights() -> None:
        with _unmoved(network):
            send()
        if packs:
            from harness_vllm_cpu.repack import repack

            repack(vllm.llm)

    vllm.sync_weights = sync_weights
    return vllm


@contextlib.contextmanager
def _unmoved(network: Network) -> Iterator[None]:
    """TRL adds adapters to their base in place and subtracts them again; the rounding would stay."""
    weights = network.adapted() if isinstance(network, LoraNetwork) else []
    before = [weight.detach().clone() for weight in weights]
    try:
        yield
    finally:
        for weight, value in zip(weights, before, strict=True):
            weight.data.copy_(value)


def close(vllm: Any) -> None:
    """Free what a vLLM in this process holds: memory, threads, its process group."""
    if llm := getattr(vllm, "llm", None):
        llm.llm_engine.engine_core.shutdown()


def _colocates(config: Any) -> bool:
    """Whether vLLM computes in this process and on its CPU. If there is no vLLM, TRL says so."""
    if not config.use_vllm or config.vllm_mode != "colocate" or find_spec("vllm") is None:
        return False
    from vllm.platforms import current_platform

    return bool(current_platform.is_cpu())


def _adapt() -> None:
    from harness_vllm_cpu import patches

    try:
        patches.apply(patches.IN_VLLM)
    except RuntimeError as error:
        raise TrainingError(
            f"vLLM cannot take new weights on a CPU here: {error}",
            where="trainer.grpo.use_vllm",
            hint="install that version, or leave use_vllm out",
        ) from error
