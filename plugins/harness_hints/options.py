"""Options of hints, apart from their code so that checking a recipe stays cheap."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from harness.contract import kind
from harness.recipe import Count, Model, Plugin, Share

#: A share of a solution in whole percent; neither nothing nor all of it.
Shown = Annotated[float, Field(ge=0.01, le=0.99)]


class HintedOptions(Model):
    """Whose tasks get hints, and how a hint stands in the prompt."""

    source: Annotated[Plugin, kind("task_sources")]
    """Plugin of kind `task_sources` whose tasks are shown with hints."""
    shares: tuple[Shown, ...] = (0.25, 0.5, 0.75)
    """Shares of the solution to show, in whole percent: each makes a subject of its own beside the plain
    one."""
    field: str = "solution"
    """Entry of a task's `meta` that holds its solution as text. Tasks without one stay plain."""
    template: str = "{problem}\n\nHint, the beginning of a solution:\n{hint}"
    """The last message of a prompt with a hint; `{problem}` and `{hint}` are replaced."""
    plain: bool = True
    """Whether the tasks without hints are subjects, too."""

    @field_validator("shares")
    @classmethod
    def _different(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not value or len({round(100 * share) for share in value}) != len(value):
            raise ValueError("shares must be at least one, and differ by a whole percent")
        return value

    @field_validator("template")
    @classmethod
    def _complete(cls, value: str) -> str:
        if "{problem}" not in value or "{hint}" not in value:
            raise ValueError("a template needs {problem} and {hint}")
        return value


class QuestAOptions(Model):
    """The plan of the curriculum `questa`."""

    shares: tuple[Share, ...] = (0.5, 0.25)
    """Shares of the solution to show, one after the other; 0 shows nothing. They must be among those of the
    source `hinted`."""
    steps: Count = 100
    """Training steps with each share. The last one stays until the stage ends."""


class SeeleOptions(Model):
    """How the curriculum `seele` predicts pass rates from hints."""

    target: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Pass rate that the shown share should give."""
    guess: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Chance of a right answer without any understanding: the third parameter c of the logistic."""
    decay: Annotated[float, Field(gt=0, le=1)] = 0.97
    """Share of the evidence that is kept per training step."""
