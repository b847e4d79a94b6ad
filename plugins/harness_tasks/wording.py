"""How a problem's text becomes a prompt, for every source whose problems are plain texts."""

from __future__ import annotations

from typing import Final

from pydantic import field_validator

from harness.contract import Message
from harness.recipe import Model

_MARK: Final = "{problem}"


class Wording(Model):
    """The words around a problem."""

    system: str = ""
    """System message. Empty sends none."""
    template: str = _MARK
    """The user's message. `{problem}` stands for the problem's text and must be there; other braces stand
    for themselves."""

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
