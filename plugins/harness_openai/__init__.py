"""Engine `openai`: models behind servers that speak OpenAI's protocol, such as `vllm serve`."""

from harness import hookimpl
from harness.plugging import Register

HARNESS_API = (2, 0)


@hookimpl
def register_engines(register: Register) -> None:
    register(
        "openai",
        "harness_openai.engine:OpenAIEngine",
        options="harness_openai.options:OpenAIOptions",
        capabilities={"fixed_weights": True, "served": "model"},
        extra="openai",
        summary="any number of OpenAI-compatible servers, such as one `vllm serve` a GPU",
    )
