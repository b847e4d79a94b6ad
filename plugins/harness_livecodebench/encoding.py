"""Private tests as the data set packs them: JSON, or base64 of zlib of a pickle of JSON text.

The pickle is never executed. Its instructions are listed, and anything but one piece of text is refused:
no object, no list, no import. Every step is bounded.
"""

from __future__ import annotations

import base64
import binascii
import json
import pickletools
import zlib
from typing import Any, Final

#: Largest tests of one problem when unpacked, in bytes: the largest of the data set are some 200 MB.
MAX_BYTES: Final = 1 << 30
_TEXT: Final = frozenset({"UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
_HARMLESS: Final = frozenset({"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"})


class EncodingError(ValueError):
    """The tests are not packed as the data set packs them."""


def unpack_tests(packed: str) -> list[Any]:
    """The list that a problem's private tests are.

    Raises:
        EncodingError: it is neither form, larger than `MAX_BYTES`, or a pickle of more than text.
    """
    try:
        tests = json.loads(packed)
    except ValueError:
        tests = _loads(_text(_inflated(packed)))
    if not isinstance(tests, list):
        raise EncodingError(f"unpacks to {type(tests).__name__}, not to a list")
    return tests


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EncodingError(f"holds no JSON: {error}") from None


def _inflated(packed: str) -> bytes:
    try:
        raw = base64.b64decode(packed, validate=True)
        inflater = zlib.decompressobj()
        data = inflater.decompress(raw, MAX_BYTES)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise EncodingError(f"neither JSON nor base64 of zlib: {error}") from None
    if inflater.unconsumed_tail:
        raise EncodingError(f"unpacks to more than {MAX_BYTES} bytes")
    if not inflater.eof:
        raise EncodingError("is cut short")
    return data


def _text(pickle: bytes) -> str:
    """The text of a pickle that holds nothing else."""
    texts: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(pickle):
            if opcode.name in _TEXT and not texts:
                texts.append(str(argument))
            elif opcode.name not in _HARMLESS:
                raise EncodingError(f"is a pickle of more than one text ({opcode.name})")
    except EncodingError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a broken pickle makes the parser raise
        raise EncodingError(f"is not a pickle: {error}") from None
    if not texts:
        raise EncodingError("is a pickle without text")
    return texts[0]
