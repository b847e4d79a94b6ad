"""Keeping secrets out of what is written: ledgers, logs and pages.

A secret is the value of an environment variable whose name says so. It is blotted out in every form
in which a file could hold it: as it is, as JSON writes it, as HTML escapes it.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, TextIO

import msgspec

#: What stands in place of a secret.
BLOT: Final = "***"
#: Shorter values would blot out innocent text.
SHORTEST: Final = 8

_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL)", re.IGNORECASE)


def secrets(environment: Mapping[str, str]) -> tuple[str, ...]:
    """All forms of the environment's secrets, longest first, so that none is left behind in part."""
    values = {v for name, v in environment.items() if _is_secret(name) and len(v) >= SHORTEST}
    return _forms(frozenset(values))


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


@lru_cache(maxsize=8)
def _forms(values: frozenset[str]) -> tuple[str, ...]:
    forms = set()
    for value in values:
        forms |= {value, msgspec.json.encode(value)[1:-1].decode(), html.escape(value)}
        forms.add(html.escape(value).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"))
    return tuple(sorted(forms, key=len, reverse=True))


def blot(text: str) -> str:
    """The text without this process's secrets."""
    for secret in secrets(os.environ):
        text = text.replace(secret, BLOT)
    return text


def encoded_secrets() -> tuple[bytes, ...]:
    """This process's secrets as they may stand in encoded text."""
    return tuple(secret.encode() for secret in secrets(os.environ))


def blotted(value: Any) -> Any:
    """Plain data without secrets in its texts. Names of fields stay: a secret may be a common word."""
    if isinstance(value, dict):
        return {name: blotted(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [blotted(inner) for inner in value]
    return blot(value) if isinstance(value, str) else value


class BlottedStream:
    """A text stream that blots what is written to it, line by line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(blot(text))
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)
