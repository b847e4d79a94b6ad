"""vLLM's workers take new weights on a CPU; named by `rollout.engine_kwargs.vllm.worker_extension_cls`."""

from __future__ import annotations

from harness_vllm_cpu import patches
from verl.workers.rollout.vllm_rollout.utils import vLLMColocateWorkerExtension

patches.apply(patches.IN_VLLM)


class CpuWorkerExtension(vLLMColocateWorkerExtension):  # type: ignore[misc]
    """verl's extension; importing this module made weights loadable more than once."""
