"""Layers compute with what was loaded last."""

from __future__ import annotations

from typing import Any


def repack(llm: Any) -> None:
    """Pack the weights of a vLLM in this process anew.

    On a CPU a layer multiplies by a copy of its weight that oneDNN laid out when the engine was made:
    `load_weights` alone changes the weight and not what is computed. Wants `patches.IN_VLLM` in place since
    before the engine was made.
    """
    import torch
    from vllm.model_executor.model_loader.utils import process_weights_after_loading

    runner = llm.llm_engine.model_executor.driver_worker.model_runner
    process_weights_after_loading(runner.model, runner.model_config, torch.device("cpu"))
