"""Squares: a finite set of tasks, one per number."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from harness import hookimpl
from harness.contract import BuildContext, DataError, Message, Task, near
from harness.plugging import Register


@hookimpl
def register_task_sources(register: Register) -> None:
    register(
        "squares", f"{__name__}:Squares", options=f"{__name__}:SquaresOptions", summary="n * n for small n"
    )


class SquaresOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    largest: int = Field(default=9, ge=0)
    """The largest number that is squared."""


class Squares:
    #: Each subject has one task. A source whose subjects give a new task at each index is endless.
    endless = False

    def __init__(self, options: SquaresOptions, context: BuildContext) -> None:
        self._tasks = {
            f"squares/{n}": Task(
                id=f"squares/{n}", prompt=(Message("user", f"{n}*{n}="),), verifier="exact", answer=str(n * n)
            )
            for n in range(options.largest + 1)
        }

    def subjects(self) -> Sequence[str]:
        return tuple(self._tasks)

    def draw(self, subject: str, index: int) -> Task:
        return self.get(subject)

    def get(self, task_id: str) -> Task:
        if task_id not in self._tasks:
            raise DataError(f"no square is named {task_id!r}", allowed=near(task_id, self._tasks))
        return self._tasks[task_id]
