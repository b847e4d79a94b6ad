"""Plain Python values as JSON, both ways: call arguments go in, results come out.

JSON's own types stand for themselves; the others are tagged (`{"!": "tuple", "v": [...]}`). What
comes out of a sandbox is only ever decoded into None, bool, int, float, complex, str, bytes, list,
tuple, set, frozenset and dict: no class of the program's making crosses, so no `__eq__` of it can.
"""

from __future__ import annotations

import json
import math
import sys
from typing import Any

TAG = "!"
#: Integers of more bits than this travel in hexadecimal: decimal conversion is quadratic and capped.
DECIMAL_BITS = 4096
#: Deepest nesting that is read back.
MAX_DEPTH = 200


class Opaque(str):
    """Stands for a value that cannot cross; equal to nothing a test expects."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def pack(value: Any) -> Any:
    """A value as JSON-like data. Subclasses are told as their base, numpy's scalars and arrays as
    Python's; what else there is becomes an `other` that equals nothing."""
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return value if value.bit_length() <= DECIMAL_BITS else {TAG: "int", "v": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {TAG: "float", "v": repr(value)}
    if kind is list:
        return [pack(item) for item in value]
    if kind is tuple or kind is set or kind is frozenset:
        return {TAG: kind.__name__, "v": [pack(item) for item in value]}
    if kind is dict:
        return {TAG: "dict", "v": [[pack(key), pack(item)] for key, item in value.items()]}
    if kind is complex:
        return {TAG: "complex", "v": [repr(value.real), repr(value.imag)]}
    if kind is bytes or kind is bytearray:
        return {TAG: "bytes", "v": value.hex()}
    return _pack_other(value)


def _pack_other(value: Any) -> Any:
    bases: tuple[Any, ...] = (int, float, str, list, tuple, set, frozenset)
    for base in bases:
        if isinstance(value, base):
            return pack(base(value))
    if isinstance(value, dict):
        return pack(dict(dict.items(value)))
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, (numpy.generic, numpy.ndarray)):
        return pack(value.tolist())
    return {TAG: "other", "v": type(value).__name__[:200]}


def other(value: Any) -> str | None:
    """The class of the first part of a value that cannot cross; None if all of it can."""
    todo = [pack(value)]
    while todo:
        part = todo.pop()
        if isinstance(part, list):
            todo.extend(part)
        elif isinstance(part, dict):
            if part[TAG] == "other":
                return str(part["v"])
            todo.append(part["v"])
    return None


def unpack(data: Any, depth: int = 0) -> Any:
    """The value again.

    Raises:
        ValueError: the data is not what `pack` makes.
    """
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(data, list):
        return [unpack(item, depth + 1) for item in data]
    if not isinstance(data, dict):
        return data
    tag, inner = data.get(TAG), data.get("v")
    if tag == "dict" and isinstance(inner, list):
        pairs = []
        for pair in inner:
            if not isinstance(pair, list) or len(pair) != 2:
                raise ValueError("a dict that is not made of pairs")
            pairs.append((_hashable(unpack(pair[0], depth + 1)), unpack(pair[1], depth + 1)))
        return dict(pairs)
    if tag in ("tuple", "set", "frozenset") and isinstance(inner, list):
        items = [unpack(item, depth + 1) for item in inner]
        if tag == "tuple":
            return tuple(items)
        kept = [_hashable(item) for item in items]
        return set(kept) if tag == "set" else frozenset(kept)
    if tag == "complex" and isinstance(inner, list) and len(inner) == 2:
        return complex(_number(inner[0]), _number(inner[1]))
    if isinstance(inner, str):
        if tag == "int":
            return int(inner, 16)
        if tag == "float":
            return _number(inner)
        if tag == "bytes":
            return bytes.fromhex(inner)
        if tag == "other":
            return Opaque(inner)
    raise ValueError(f"unknown tag {tag!r}"[:100])


def loads_outcome(line: bytes) -> dict[str, Any]:
    """What a call gave, as `calls.outcome` tells it: a dict with `ok`, `error` or `loaded`.

    Raises:
        ValueError: it is not one of ours, for whatever reason.
    """
    try:
        # A bare integer of thousands of digits is a ValueError of Python's own.
        told = json.loads(line, parse_constant=_refuse)
        if not isinstance(told, dict):
            raise ValueError("not an outcome")
        return {"ok": unpack(told["ok"])} if "ok" in told else told
    except (RecursionError, TypeError, OverflowError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None


def _hashable(item: Any) -> Any:
    hash(item)  # a TypeError here is the sender's fault and is reported as such by `loads`
    return item


def _number(text: Any) -> float:
    if not isinstance(text, str) or len(text) > 40:
        raise ValueError("not a number")
    return float(text)


def _refuse(name: str) -> Any:
    raise ValueError(f"bare {name}")
