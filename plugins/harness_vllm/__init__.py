"""Engine `vllm`: vLLM in processes of this machine, under an interpreter that may be another one's."""

from harness import hookimpl
from harness.plugins import Register

HARNESS_API = (1, 0)


@hookimpl
def register_engines(register: Register) -> None:
    register(
        "vllm",
        "harness_vllm.engine:VllmEngine",
        options="harness_vllm.options:VllmOptions",
        capabilities={"logprobs": True},
        extra="torch",
        summary="vLLM in one process a replica; its environment may be another than the harness's",
    )
