"""A plugin's object held against its kind's protocol, and the only way to read an optional member."""

from __future__ import annotations

import ast
import difflib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any, Final

from harness.contract.errors import PluginError, near
from harness.contract.kinds import Kind, kind

CALL: Final = "__call__"


def member(of_kind: str, obj: object, name: str) -> Any:
    """An optional member of a plugin's object: its own, or the default of `harness.contract.optional`.

    Args:
        of_kind: the kind's name, such as `gates`.
        obj: what the factory returned.
        name: the member; methods come bound.

    Raises:
        PluginError: the kind has no optional member of this name.
    """
    declared = kind(of_kind).optional_class()
    if declared is None or not hasattr(declared, name) or name.startswith("_"):
        raise PluginError(
            f"{of_kind} have no optional member {name!r}", allowed=near(name, _public(declared))
        )
    if hasattr(obj, name):
        return getattr(obj, name)
    default = inspect.getattr_static(declared, name)
    return default.__get__(obj) if inspect.isfunction(default) else default


def mistakes(of_kind: Kind, obj: object) -> Iterator[str]:
    """What an object, or the class that a factory is, lacks of its protocol, a phrase per fault.

    Methods are compared by name and by the arguments that they are called with. Of a class that has not
    been built, attributes cannot be told; methods that it sets on itself are taken as they are.
    """
    protocol = of_kind.protocol_class()
    if not getattr(protocol, "_is_protocol", False):
        if not isinstance(obj, protocol):
            yield f"is {type(obj).__name__}, and not {of_kind.protocol.replace(':', '.')}"
        return
    declared = of_kind.optional_class()
    optional = _public(declared)
    for name in _members(protocol):
        if name not in optional:
            yield from _mistake(obj, name, getattr(protocol, name, None), required=True)
    for name in optional:
        yield from _mistake(obj, name, inspect.getattr_static(declared, name), required=False)
    state = [name for name in ("state_dict", "load_state_dict") if hasattr(obj, name)]
    if len(state) == 1:
        other = "load_state_dict" if state == ["state_dict"] else "state_dict"
        yield f"has {state[0]!r} and no {other!r}: state is saved and restored, or not at all"


def _mistake(obj: object, name: str, wanted: Any, *, required: bool) -> Iterator[str]:
    is_method = inspect.isfunction(wanted)
    if not _has(obj, name):
        if required and not _set_later(obj, name, is_method=is_method):
            yield f"lacks {name!r}{_near_in(obj, name)}"
    elif is_method and (problem := _unfit(obj, name, wanted)):
        yield problem


def _has(obj: object, name: str) -> bool:
    """Every class can be called, which makes an object and is not the member `__call__`."""
    if name != CALL or not isinstance(obj, type):
        return hasattr(obj, name)
    return any(name in vars(base) for base in obj.__mro__)


def _unfit(obj: object, name: str, wanted: Callable[..., Any]) -> str:
    """Why a method cannot be called as the protocol calls it; "" if it can."""
    asked = list(inspect.signature(wanted).parameters.values())[1:]
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in asked):
        return ""
    given: Any = obj if name == CALL and not isinstance(obj, type) else getattr(obj, name)
    if not callable(given):
        return f"{name!r} is {given!r}, and not a method"
    unbound = isinstance(obj, type) and inspect.isfunction(inspect.getattr_static(obj, name))
    try:
        signature = inspect.signature(given)
    except (TypeError, ValueError):
        return ""  # of a builtin; nothing is known of its parameters
    keywords = {p.name: None for p in asked if p.kind is p.KEYWORD_ONLY}
    try:
        signature.bind(*[None] * (len(asked) - len(keywords) + unbound), **keywords)
    except TypeError as error:
        called = ", ".join([*(p.name for p in asked if p.name not in keywords), *(f"{k}=" for k in keywords)])
        return f"{name!r} cannot be called as {name}({called}): {error}"
    return ""


def _members(protocol: type[Any]) -> list[str]:
    """Names of a protocol's members, those of the protocols that it extends included."""
    names: dict[str, None] = {}
    for base in reversed(protocol.__mro__):
        if getattr(base, "_is_protocol", False) and base.__name__ != "Protocol":
            mine = [*inspect.get_annotations(base), *vars(base)]
            names |= {n: None for n in mine if n == CALL or not n.startswith("_")}
    return list(names)


def _public(cls: type[Any] | None) -> list[str]:
    return [] if cls is None else [name for name in dir(cls) if not name.startswith("_")]


def _set_later(obj: object, name: str, *, is_method: bool) -> bool:
    """Whether a class may get a member when it is built: every attribute, and a method that its source
    assigns to itself or answers by `__getattr__`."""
    if not isinstance(obj, type):
        return False
    if not is_method or hasattr(obj, "__getattr__"):
        return True
    return any(name in _assigned(base) for base in obj.__mro__ if base is not object)


def _assigned(cls: type[Any]) -> set[str]:
    """Names of the attributes that a class's own methods assign to."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return set()
    return {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}


def _near_in(obj: object, name: str) -> str:
    close = difflib.get_close_matches(name, [n for n in dir(obj) if not n.startswith("__")], n=1, cutoff=0.7)
    return f"; it has {close[0]!r}: misspelt?" if close else ""
