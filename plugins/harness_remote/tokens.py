"""The secret that a front asks for: from a file or the environment, never from a command line."""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path
from typing import Final

from harness_sandbox.pool import SandboxError

#: Shortest token, in characters.
SHORTEST: Final = 16


def read(file: str | Path, variable: str) -> str:
    """The token in the file or, without one, in the variable; empty if there is none.

    Raises:
        SandboxError: the file cannot be read, or what is there is too short or not plain text.
    """
    if file:
        where = str(file)
        try:
            token = Path(file).expanduser().read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not plain text"
            raise SandboxError(f"the token cannot be read: {reason}", where=where) from None
        if not token:
            raise SandboxError("the token file is empty", where=where)
    else:
        where = variable
        token = os.environ.get(variable, "").strip()
    if token and (len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token):
        raise SandboxError(
            "the token is too short, or not plain text",
            where=where,
            allowed=f"at least {SHORTEST} printable characters",
            hint="openssl rand -hex 32",
        )
    return token


class Guard:
    """Compares what a request carries with the token, in a time that says nothing about either."""

    def __init__(self, token: str) -> None:
        self._digest = hashlib.sha256(f"Bearer {token}".encode()).digest() if token else b""

    def admits(self, authorization: str | None) -> bool:
        """Whether a request with this `Authorization` header is admitted; without a token every one is."""
        given = hashlib.sha256((authorization or "").encode("utf-8", "surrogateescape")).digest()
        return not self._digest or hmac.compare_digest(given, self._digest)
