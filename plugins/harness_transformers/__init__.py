"""Models in transformers' form, and the engine that generates with them in this process."""

from harness import hookimpl
from harness.plugging import Register

HARNESS_API = (2, 0)
#: Modules that other plugins may import.
PUBLIC = ("device", "engine", "generation", "lora", "network", "prompts", "quiet", "reading", "weights")


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
        capabilities={"prefix": True},
        extra="torch",
        summary="generates in this process with transformers models; own fast decoder for Llama",
    )
