"""Leaves out tasks whose prompt is long."""

from pydantic import BaseModel, ConfigDict

from harness import hookimpl
from harness.contract import BuildContext, Task
from harness.plugging import Register


@hookimpl
def register_task_filters(register: Register) -> None:
    register("short", f"{__name__}:Short", options=f"{__name__}:ShortOptions", summary="drops long prompts")


class ShortOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    characters: int = 2000
    """Longest prompt that is kept, all of its messages together."""


class Short:
    def __init__(self, options: ShortOptions, context: BuildContext) -> None:
        self._most = options.characters

    def keep(self, task: Task) -> bool:
        return sum(len(message.content) for message in task.prompt) <= self._most
