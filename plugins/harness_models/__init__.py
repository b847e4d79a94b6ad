"""Models that come in packages: inside a plugin's wheel, or as a GGUF file of a PyPI package."""

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_models(register: Register) -> None:
    register(
        "packaged",
        "harness_models.packaged:Packaged",
        options="harness_models.packaged:PackagedOptions",
        capabilities={"local": True},
        extra="torch",
        summary="a model folder inside an installed package",
    )
    register(
        "gguf",
        "harness_models.gguf:Gguf",
        options="harness_models.gguf:GgufOptions",
        extra="gguf",
        summary="a GGUF file (smollm2-135m-instruct from PyPI, or your own), dequantised once",
    )
