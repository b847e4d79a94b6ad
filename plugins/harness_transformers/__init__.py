"""Models in transformers' form, and the engine that generates with them in this process."""

from harness import hookimpl
from harness.plugins import Register

HARNESS_API = (1, 0)


@hookimpl
def register_models(register: Register) -> None:
    register(
        "folder",
        "harness_transformers.folder:FolderLoader",
        options="harness_transformers.folder:FolderOptions",
        capabilities={"local": True},
        summary="a local folder in transformers' form, or a hub id",
    )


@hookimpl
def register_engines(register: Register) -> None:
    register(
        "transformers",
        "harness_transformers.engine:TransformersEngine",
        options="harness_transformers.engine:EngineOptions",
        capabilities={"logprobs": True, "live_weights": True},
        extra="torch",
        summary="generates in this process with transformers models; own fast decoder for Llama",
    )
