"""Remarks that restrict nothing: `for every real x`, `where k is an integer`, `(n \\in \\mathbb{Z})`.

A remark with a relation, a number or a word that is not listed here stays, and with it the answer is
another one.
"""

from __future__ import annotations

import re
from typing import Final

from harness_math.lexer import Token
from harness_math.vocabulary import words

_BEGINNINGS: Final = frozenset({"for", "where", "with", "here", "given"})
_WORDS: Final = words(
    """for all every any each some where with here given that is are be being an a the and of in on to as
    real reals complex integer integers natural naturals whole positive nonnegative arbitrary rational
    number numbers value values constant constants parameter parameters variable variables denotes"""
)
#: Words of which a remark has one: it says of which kind something is, or that it may be anything.
_STRONG: Final = words(
    """all every any each arbitrary real reals complex integer integers natural naturals whole rational
    number numbers constant constants parameter parameters variable"""
)
_DOMAINS: Final = frozenset({"ℝ", "𝔹Z", "𝔹Z+", "𝔹N", "𝔹Q", "𝔹C"})
_MARKS: Final = frozenset({",", "in", "and", "(", ")", ":", "^", "_", "{", "}", "+"})


def unqualified(tokens: list[Token]) -> list[Token]:
    """The tokens without a remark at the end, in brackets or not, or at the beginning before a comma."""
    for i in range(1, len(tokens)):
        if _begins(tokens, i) and _is_remark(tokens[i:]):
            kept = tokens[:i]
            while kept and kept[-1].value in (",", ":") and kept[-1].kind == "op":
                kept.pop()
            return kept
    if tokens and _begins(tokens, 0):
        comma = next((i for i, t in enumerate(tokens) if t.kind == "op" and t.value in (",", ":")), 0)
        if 0 < comma < len(tokens) - 1 and _is_remark(tokens[:comma]):
            return tokens[comma + 1 :]
    return tokens


def _is_remark(part: list[Token]) -> bool:
    kind = any(
        _is_domain(token)
        or token.value == "forall"
        or (token.kind == "word" and not _STRONG.isdisjoint(_words(token.value)))
        for token in part
    )
    return kind and all(map(_says_nothing, part))


def _begins(tokens: list[Token], i: int) -> bool:
    token = tokens[i]
    if token.kind == "word":
        first = _words(token.value)[:1]
        return (
            bool(first) and first[0] in _BEGINNINGS and len(tokens) - i > 1 - (len(_words(token.value)) > 1)
        )
    if token.kind == "cmd":
        return token.value == "forall"
    # (k in Z)
    bracket = token.kind == "op" and token.value == "("
    return (
        bracket
        and tokens[-1].value == ")"
        and any(t.value == "in" for t in tokens[i:])
        and _is_domain(tokens[-2])
    )


def _is_domain(token: Token) -> bool:
    return token.kind == "name" and token.value in _DOMAINS


def _says_nothing(token: Token) -> bool:
    if token.kind == "word":
        return all(word in _WORDS or len(word) == 1 for word in _words(token.value))
    if token.kind == "name":
        return True
    return token.value in _MARKS or (token.kind == "cmd" and token.value == "forall")


def _words(text: str) -> list[str]:
    return [str(word) for word in re.findall(r"[A-Za-z']+|\d+", text.lower())]
