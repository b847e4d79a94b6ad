"""A parser's place in its tokens, and how deep it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from harness_math.lexer import Token
from harness_math.nodes import CostBound, Node, Unreadable

#: Deepest nesting read; one level of brackets takes four.
DEPTH: Final = 120
END: Final = Token("end", "")


class Cursor:
    """Where a parser is in its tokens."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.at, self.depth, self.bars = tokens, 0, 0, 0
        #: How many braces of sets are open: a bar inside them is no divisor's.
        self.sets_open = 0
        #: Whether an open bracket closes what is being read.
        self.outwards = False

    # Reading tokens ------------------------------------------------------------------------------

    @property
    def now(self) -> Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else END

    def peek(self, ahead: int = 1) -> Token:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else END

    def op(self, *values: str) -> bool:
        """Whether the current token is one of these operators."""
        return self.now.kind == "op" and self.now.value in values

    def accept(self, *values: str) -> str | None:
        if self.op(*values):
            self.at += 1
            return self.tokens[self.at - 1].value
        return None

    def expect(self, value: str) -> None:
        if not self.accept(value):
            raise Unreadable(f"expected {value} at {self.now.value!r}")

    def deeper(self, read: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > DEPTH:
            raise CostBound(f"nested deeper than {DEPTH}")
        node = read()
        self.depth -= 1
        return node
