"""Engine `vllm`: vLLM in processes of this machine, under an interpreter that may be another one's."""

from harness import hookimpl
from harness.plugging import Register

HARNESS_API = (2, 0)
HARNESS_CODE = ("harness_transformers",)


@hookimpl
def register_engines(register: Register) -> None:
    register(
        "vllm",
        "harness_vllm.engine:VllmEngine",
        options="harness_vllm.options:VllmOptions",
        capabilities={"prefix": True},
        extra="torch",
        summary="vLLM in one process per replica; its environment may be another than the harness's",
    )
