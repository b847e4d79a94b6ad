"""How a problem's text becomes a prompt, for every source whose problems are plain texts."""

from __future__ import annotations

from typing import Final

from pydantic import field_validator

from harness.recipe.stage import Model
from harness.records import Message

_MARK: Final = "{problem}"


class Wording(Model):
    """Options on the words around a problem."""

    #: System message; empty for none.
    system: str = ""
    #: The user message; `{problem}` stands for the problem's text, other braces for themselves.
    template: str = _MARK

    @field_validator("template")
    @classmethod
    def _holds_the_problem(cls, value: str) -> str:
        if _MARK not in value:
            raise ValueError(f"{value!r} does not contain {_MARK}")
        return value

    def prompt(self, problem: str) -> tuple[Message, ...]:
        """The messages that ask this problem."""
        user = Message("user", self.template.replace(_MARK, problem))
        return (Message("system", self.system), user) if self.system else (user,)
