"""Inputs for fuzzing: valid documents with edits, and bytes with edits; and what may come of them.

A document is what JSON and TOML hold: dicts, lists, texts, numbers. Edits delete, double, retype, nest,
truncate and replace a part of it. `outcome` is the rule: a value, or one of the errors that the project
names.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from harness.contract.errors import HarnessError

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

#: How many times the usual number of examples are made (`make fuzz`).
TIMES: Final = int(os.environ.get("HARNESS_FUZZ_TIMES", "1"))
#: Longest text and longest raw bytes of an input.
LONG: Final = 400

#: Values that fit few fields.
ODD: Final[Sequence[Any]] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**64), 10**400, 0.5, -0.0, 1e308, 5e-324, math.inf,
    -math.inf, math.nan, "", " ", "0", "nan", "\0", "\n", "\u2028", "\ufeff", "é" * 50, "a" * LONG, "../..",
    "/", "{}", "[]", "%s", "{0}", "1e999", "٣", [], {}, [None], [[]], {"": None}, {"name": 1}, [1, "a"],
)  # fmt: skip


def examples(number: int) -> Callable[[F], F]:
    """So many examples, more in a long run."""
    quiet = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)
    return settings(max_examples=number * TIMES, deadline=None, suppress_health_check=quiet)


# Documents ---------------------------------------------------------------------------------------


def odd() -> st.SearchStrategy[Any]:
    """A value that fits few fields."""
    texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
    return st.one_of(
        st.sampled_from(ODD), st.integers(), st.floats(), texts, st.builds(nested, st.integers(2, 60))
    )


def nested(depth: int) -> Any:
    """Lists and objects in each other."""
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def places(document: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every part of a document."""
    parts: list[tuple[Any, Any]] = []
    todo = [document]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            keys: list[Any] = list(here)
        elif isinstance(here, list):
            keys = list(range(len(here)))
        else:
            continue
        parts += [(here, key) for key in keys]
        todo += [here[key] for key in keys]
    return parts


def _retyped(value: Any) -> Any:
    if isinstance(value, str):
        return [value]
    if isinstance(value, bool | int | float):
        return str(value)
    return json.dumps(value, default=str) if isinstance(value, dict | list) else 0


def _shorter(value: Any) -> Any:
    if isinstance(value, str | list):
        return value[: len(value) // 2]
    return dict(list(value.items())[: len(value) // 2]) if isinstance(value, dict) else value


@st.composite
def mutated(draw: st.DrawFn, documents: Sequence[Any], *, edits: int = 4) -> Any:
    """One of the documents with up to so many edits."""
    document = [copy.deepcopy(draw(st.sampled_from(documents)))]  # so that all of it may be replaced, too
    for _ in range(draw(st.integers(1, edits))):
        parts = places(document)
        holder, key = parts[draw(st.integers(0, len(parts) - 1))]
        edit = draw(
            st.sampled_from(("delete", "double", "retype", "nest", "truncate", "replace", "move", "rename"))
        )
        if edit == "delete" and holder is not document:
            del holder[key]
        elif edit == "double" and isinstance(holder, list) and holder is not document:
            holder.insert(key, copy.deepcopy(holder[key]))
        elif edit == "retype":
            holder[key] = _retyped(holder[key])
        elif edit == "nest":
            holder[key] = draw(st.sampled_from(([holder[key]], {"name": holder[key]})))
        elif edit == "truncate":
            holder[key] = _shorter(holder[key])
        elif edit == "move":
            there, name = parts[draw(st.integers(0, len(parts) - 1))]
            if there is holder or name in (there if isinstance(there, dict) else range(len(there))):
                holder[key] = copy.deepcopy(there[name])
        elif edit == "rename" and isinstance(holder, dict):
            holder[draw(st.text(st.characters(exclude_categories=("Cs",)), max_size=8))] = holder.pop(key)
        else:
            holder[key] = copy.deepcopy(draw(odd()))
    return document[0]


# Bytes -------------------------------------------------------------------------------------------

#: Pieces that parsers stumble over.
_PIECES: Final[Sequence[bytes]] = (
    b"", b"\0", b"\n", b"\r\n", b"\r", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\", b'"', b"'", b"{",
    b"}", b"[",
    b"]", b",", b":", b"=", b"#", b"-", b"9" * 5000, b"1e999", b"NaN", b"Infinity", b"\\ud800", b"null",
    b"[" * 3000,
    b'{"a":' * 3000, "é".encode(), b"\x80" * 9,
)  # fmt: skip


@st.composite
def torn(draw: st.DrawFn, contents: Sequence[bytes], *, edits: int = 4) -> bytes:
    """One of the contents, or nothing, with bytes cut out, doubled, or put in."""
    content = draw(st.sampled_from([*contents, b""]))
    for _ in range(draw(st.integers(1, edits))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        end = min(end, start + 200)
        piece = draw(st.one_of(st.sampled_from(_PIECES), st.binary(max_size=16)))
        edit = draw(st.sampled_from(("cut", "double", "put", "replace", "end")))
        if edit == "cut":
            content = content[:start] + content[end:]
        elif edit == "double":
            content = content[:end] + content[start:]
        elif edit == "put":
            content = content[:start] + piece + content[start:]
        elif edit == "replace":
            content = content[:start] + piece + content[end:]
        else:
            content = content[:start]
    return content


def as_json(value: Any) -> bytes:
    """A document as JSON, infinities and lone surrogates included."""
    return json.dumps(value, default=str).encode()


def as_toml(values: Any) -> str:
    """A document as TOML; what TOML has no form for is left out."""
    if not isinstance(values, dict):
        return f"value = {_toml(values)}\n"
    return "".join(f"{_key(key)} = {_toml(value)}\n" for key, value in values.items() if value is not None)


def _key(key: Any) -> str:
    return json.dumps(str(key), ensure_ascii=False).replace("\x7f", "\\u007F")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(k)} = {_toml(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value if item is not None) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else _key(value)


# What may come of it -----------------------------------------------------------------------------


@dataclass
class Account:
    """What a target was given in this process."""

    inputs: int = 0
    refused: int = 0
    #: CPU seconds of the slowest input, and the start of it.
    slowest: float = 0.0
    at: str = ""
    errors: set[str] = field(default_factory=set)


ACCOUNTS: dict[str, Account] = {}


def outcome(
    target: str, call: Callable[[], T], *named: type[Exception], shown: object = ""
) -> T | HarnessError | Exception:
    """The value of a call, or the error of the project's own that it raised.

    Args:
        named: errors that this target has beside `HarnessError`.
        shown: the input, for the account of what was slow.
    """
    account = ACCOUNTS.setdefault(target, Account())
    account.inputs += 1
    began = time.process_time()
    try:
        return call()
    except (HarnessError, *named) as error:
        account.refused += 1
        account.errors.add(type(error).__name__)
        raised = error
    finally:
        spent = time.process_time() - began
        if spent > account.slowest:
            account.slowest, account.at = spent, repr(shown)[:120]
    assert str(raised).strip(), f"{type(raised).__name__} says nothing"
    return raised


def told() -> Iterator[str]:
    """What every target was given, a line each."""
    for name, account in sorted(ACCOUNTS.items()):
        yield (
            f"{name}: {account.inputs:,} inputs, {account.refused:,} refused "
            f"({', '.join(sorted(account.errors)) or 'none'}); slowest {account.slowest:.3f} s {account.at}"
        )
