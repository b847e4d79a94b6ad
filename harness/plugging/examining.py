"""What is wrong with what a registration points at, as `harness plugins doctor` tells it.

The factory and the options model are imported. An object of a kind that opens nothing is built with
default options; otherwise the factory's class is looked at. Either is held against the kind's protocol.
"""

from __future__ import annotations

import inspect
import traceback
import typing
from collections.abc import Callable, Iterator
from typing import Any

from harness.contract.errors import HarnessError, PluginError
from harness.contract.kinds import KINDS, Kind
from harness.contract.members import mistakes
from harness.contract.protocols import BuildContext
from harness.plugging.registry import Registration


def faults(registration: Registration, context: BuildContext) -> Iterator[str]:
    """Every fault in full, with kind, name and distribution."""
    loaded: dict[str, Any] = {}
    for what, load in (("factory", registration.load), ("options", registration.options_model)):
        try:
            loaded[what] = load()
        except PluginError as error:
            yield str(error)
        except (Exception, SystemExit):  # noqa: BLE001 - whatever a plugin's module raises is its fault
            yield f"{registration.where}: its {what} cannot be imported\n{traceback.format_exc()}"
    try:
        registration.check_capabilities()
    except PluginError as error:
        yield str(error)
    if len(loaded) < 2:
        return
    factory, options = loaded["factory"], loaded["options"]
    row = KINDS[registration.kind]
    if not callable(factory):
        yield f"{registration.where}: {registration.target} is not callable"
    elif options is not None and not hasattr(options, "model_validate"):
        yield f"{registration.where}: {registration.options} is no pydantic model"
    else:
        yield from _protocol_faults(registration, row, factory, options, context)


def _protocol_faults(
    registration: Registration,
    row: Kind,
    factory: Callable[..., Any],
    options: type[Any] | None,
    context: BuildContext,
) -> Iterator[str]:
    subject = factory if not row.options else _made_class(factory)
    if row.light:
        try:
            subject = factory(None if options is None else _defaults(options), context)
        except (HarnessError, _NeedsOptions):
            pass  # not with defaults: then its class is all that can be looked at
        except Exception:  # noqa: BLE001 - whatever a factory raises is the plugin's fault
            yield f"{registration.where}: cannot be built with its defaults\n{traceback.format_exc()}"
            return
    if subject is not None:
        for mistake in mistakes(row, subject):
            yield f"{registration.where}: {mistake}"


class _NeedsOptions(Exception):
    """An option has no default."""


def _defaults(options: type[Any]) -> Any:
    from pydantic import ValidationError

    try:
        return options()
    except ValidationError:
        raise _NeedsOptions from None


def _made_class(factory: Callable[..., Any]) -> type[Any] | None:
    """The class of what a factory makes, None if that cannot be told without calling it."""
    if inspect.isclass(factory):
        return factory
    try:
        made = typing.get_type_hints(factory).get("return")
    except (NameError, TypeError, AttributeError):
        return None  # annotations that need imports for type checkers only
    vague = made in (Any, object, type(None)) or getattr(made, "_is_protocol", False)
    return made if inspect.isclass(made) and not vague else None
