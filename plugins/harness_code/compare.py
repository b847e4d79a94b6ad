"""Comparators: named rules by which an output counts as right. They run outside, on plain data.

Comparators of text get what a program printed; comparators of values get what its function returned,
rebuilt from plain types. Each returns None if it is right, else the first place where it is not.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from harness_runner import values
from harness_runner.values import Opaque

from harness.contract import DataError, near

#: ASCII digits alone: what `float` would take of other scripts' digits is not a number here.
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LONGEST_NUMBER: Final = 400
_SHOWN: Final = 80

TextRule = Callable[[str, str, float], str | None]
ValueRule = Callable[[Any, Any, float], str | None]


def tokens(output: str, expected: str, tolerance: float = 0.0) -> str | None:
    """The same words in the same order, whatever the space between them."""
    return _words(output.split(), expected.split(), lambda a, b: a == b)


def lines(output: str, expected: str, tolerance: float = 0.0) -> str | None:
    """The same lines; space at their ends and empty lines at the end do not count."""
    return _words(
        [line.rstrip() for line in output.rstrip().split("\n")],
        [line.rstrip() for line in expected.rstrip().split("\n")],
        lambda a, b: a == b,
        "line",
    )


def floats(output: str, expected: str, tolerance: float = 1e-6) -> str | None:
    """As `tokens`, but numbers may differ by `tolerance`, absolute or relative, whichever allows more."""
    return _words(output.split(), expected.split(), lambda a, b: a == b or _near(a, b, tolerance))


def decimals(output: str, expected: str, tolerance: float = 0.0) -> str | None:
    """The same lines, or lines of the same numbers exactly: 1 is 1.0, but 0.1 is not 0.10000000000000001.

    Space around a line, and around everything, does not count; an empty line between others does.
    """

    def same(one: str, other: str) -> bool:
        return one == other or _same_numbers(one.split(), other.split())

    mine = [line.strip() for line in output.strip().split("\n")]
    theirs = [line.strip() for line in expected.strip().split("\n")]
    return _words(mine, theirs, same, "line")


def _same_numbers(mine: list[str], theirs: list[str]) -> bool:
    if len(mine) != len(theirs) or not all(map(_readable, (*mine, *theirs))):
        return False
    return [Decimal(word) for word in mine] == [Decimal(word) for word in theirs]


def _readable(word: str) -> bool:
    return len(word) <= _LONGEST_NUMBER and _NUMBER.fullmatch(word) is not None


def unordered(output: str, expected: str, tolerance: float = 0.0) -> str | None:
    """The same lines, each as `tokens`, in any order and as often."""
    mine = Counter(tuple(line.split()) for line in output.split("\n") if line.strip())
    theirs = Counter(tuple(line.split()) for line in expected.split("\n") if line.strip())
    if mine == theirs:
        return None
    missing, extra = theirs - mine, mine - theirs
    odd = next(iter(missing or extra))
    return f"{'missing' if missing else 'unexpected'} line {' '.join(odd)[:_SHOWN]!r}"


def _words(
    mine: list[str], theirs: list[str], same: Callable[[str, str], bool], what: str = "token"
) -> str | None:
    for number, (one, other) in enumerate(zip(mine, theirs, strict=False), 1):
        if not same(one, other):
            return f"{what} {number}: {one[:_SHOWN]!r} where {other[:_SHOWN]!r} is right"
    if len(mine) != len(theirs):
        return f"{len(mine)} {what}s where {len(theirs)} are right"
    return None


def _near(one: str, other: str, tolerance: float) -> bool:
    return _readable(one) and _readable(other) and _close(float(one), float(other), tolerance)


def _near_values(one: float, other: float, tolerance: float) -> bool:
    try:
        return _close(float(one), float(other), tolerance)
    except OverflowError:  # an integer beyond all floats is near none
        return False


def _close(one: float, other: float, tolerance: float) -> bool:
    if not math.isfinite(one) or not math.isfinite(other):
        return False
    return abs(one - other) <= tolerance * max(1.0, abs(one), abs(other))


# Values -----------------------------------------------------------------------------------------


def exact(value: Any, expected: Any, tolerance: float = 0.0) -> str | None:
    """The same value of the same types, all the way down: 1, 1.0 and True are three values."""
    return _differ(value, expected, _exact_leaf, "")


def json(value: Any, expected: Any, tolerance: float = 0.0) -> str | None:
    """Equal as JSON: a tuple is a list, 2 and 2.0 are the same number, a truth value is not a number, and a
    key is text: `{1: 2}` is written `{"1": 2}`."""
    return _differ(_listed(value), _listed(expected), _json_leaf, "")


def equal(value: Any, expected: Any, tolerance: float = 0.0) -> str | None:
    """Python's own ==, which is safe here: both are made of plain types."""
    if not isinstance(value, Opaque) and value == expected:
        return None
    return _unlike(value, expected, "")


def close(value: Any, expected: Any, tolerance: float = 1e-6) -> str | None:
    """As `json`, but floats may differ by `tolerance`, absolute or relative."""

    def leaf(one: Any, other: Any) -> bool:
        if isinstance(one, float) or isinstance(other, float):
            return _json_leaf(one, other) or (
                _is_number(one) and _is_number(other) and _near_values(one, other, tolerance)
            )
        return _json_leaf(one, other)

    return _differ(_listed(value), _listed(expected), leaf, "")


def unordered_values(value: Any, expected: Any, tolerance: float = 0.0) -> str | None:
    """As `json`, but the items of the outermost list may come in any order."""
    mine, theirs = _listed(value), _listed(expected)
    if not isinstance(mine, list) or not isinstance(theirs, list):
        return json(value, expected)
    rest = list(mine)
    for item in theirs:
        match = next((i for i, own in enumerate(rest) if json(own, item) is None), None)
        if match is None:
            return f"{show(item)} is missing"
        rest.pop(match)
    return f"{show(rest[0])} is not expected" if rest else None


def _differ(value: Any, expected: Any, same: Callable[[Any, Any], bool], path: str) -> str | None:
    if isinstance(expected, dict) and type(value) is type(expected):
        if not _same_keys(value, expected):
            return f"other keys{path and ' at ' + path}: {show(list(value))}"
        pairs = [(f"{path}[{show(key)}]", value[key], expected[key]) for key in expected]
    elif isinstance(expected, (list, tuple)) and type(value) is type(expected):
        if len(value) != len(expected):
            return f"{len(value)} items where {len(expected)} are right{path and ' at ' + path}"
        pairs = [(f"{path}[{i}]", a, b) for i, (a, b) in enumerate(zip(value, expected, strict=True))]
    else:
        return None if same(value, expected) else _unlike(value, expected, path)
    return next((why for where, a, b in pairs if (why := _differ(a, b, same, where))), None)


def _same_keys(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    return {(type(k), k) for k in one} == {(type(k), k) for k in other}


def _exact_leaf(one: Any, other: Any) -> bool:
    if type(one) is not type(other) or isinstance(one, Opaque):
        return False
    if isinstance(one, (set, frozenset)):
        return {(type(i), i) for i in one} == {(type(i), i) for i in other}
    return bool(one == other)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _json_leaf(one: Any, other: Any) -> bool:
    if _is_number(one) and _is_number(other):
        return bool(one == other)
    return _exact_leaf(one, other)


def _listed(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_listed(item) for item in value]
    if type(value) is dict:
        named = {_key(key): _listed(item) for key, item in value.items()}
        # Where two keys have one name the dict is none of JSON's, and stays what it is.
        return named if len(named) == len(value) else {key: _listed(item) for key, item in value.items()}
    return value


def _key(key: Any) -> Any:
    """A key as JSON writes it; one that JSON has no form for stays as it is."""
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, float) or (isinstance(key, int) and key.bit_length() <= values.DECIMAL_BITS):
        return repr(key)
    return key


def _unlike(value: Any, expected: Any, path: str) -> str:
    return f"{show(value)} where {show(expected)} is right{path and ' at ' + path}"


def show(value: Any) -> str:
    """A value as evidence wants it: short."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python writes out
        text = f"a {type(value).__name__} too long to show"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


TEXT_RULES: Final[Mapping[str, TextRule]] = {
    "tokens": tokens, "lines": lines, "decimals": decimals, "float": floats, "unordered": unordered,
}  # fmt: skip
VALUE_RULES: Final[Mapping[str, ValueRule]] = {
    "exact": exact, "json": json, "equal": equal, "float": close, "unordered": unordered_values,
}  # fmt: skip


def rule(name: str, rules: Mapping[str, Any], *, where: str = "") -> Any:
    """The rule of this name; raises DataError with near matches."""
    if name not in rules:
        raise DataError(f"no comparator is named {name!r}", where=where, allowed=near(name, rules))
    return rules[name]
