"""What verl offers no interface for: one function, replaced in exactly the version tested."""

from __future__ import annotations

import inspect
from typing import Any

from harness_vllm_cpu.patches import Patch

from harness_verl_cpu.versions import VERSIONS


def _with_gloo(original: Any) -> Any:
    def initialize(timeout_second: float | None = None, backend: str | None = None) -> Any:
        return original(timeout_second=timeout_second, backend=backend or "cpu:gloo")

    return initialize


def _names_the_cpu_twice(original: Any) -> bool:
    return 'f"cpu:gloo,{get_device_name()}' in inspect.getsource(original)


#: In every process of verl.
IN_VERL: tuple[Patch, ...] = (
    Patch(
        "verl.utils.distributed.initialize_global_process_group_ray",
        ("verl", VERSIONS["verl"]),
        "its default backend is cpu:gloo,<device>:<backend>; on a CPU that names the device cpu twice, which "
        "torch refuses",
        _with_gloo,
        _names_the_cpu_twice,
    ),
)
