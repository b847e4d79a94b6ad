"""Telling plugins what happened, each in isolation.

Every implementation is called on its own with the arguments that it names. One that raises is
reported with its plugin's name and handed back, so that the ledger can record it, while the others
still run: an observer may fail, a run may not fail for it. There are no wrappers and no results;
what changes a run is a typed object that a recipe names.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from harness.contract.errors import near

if TYPE_CHECKING:
    import pluggy

#: Hooks of `hookspecs.py` that are broadcast.
EVENTS: Final = (
    "run_started",
    "difficulty_measured",
    "stage_started",
    "step_finished",
    "evaluation_finished",
    "checkpoint_saved",
    "stage_finished",
    "run_finished",
    "sample_failed",
)

log = logging.getLogger("harness.plugging.events")


@dataclass(frozen=True, slots=True)
class EventFailure:
    """One plugin's implementation of one event raised."""

    event: str
    plugin: str
    #: The exception in one line.
    reason: str
    #: The full traceback.
    detail: str
    #: How often this plugin has failed at this event so far, this time included; a receiver that
    #: writes to disk may keep the first few only.
    times: int


def log_failure(failure: EventFailure) -> None:
    """Log a failure: with its traceback the first time, then in one line at each power of two."""
    if failure.times == 1:
        log.error("plugin %r failed at %s:\n%s", failure.plugin, failure.event, failure.detail)
    elif failure.times & (failure.times - 1) == 0:
        log.error(
            "plugin %r failed at %s, %d times by now: %s",
            failure.plugin, failure.event, failure.times, failure.reason,
        )  # fmt: skip


class Events:
    """Broadcasts to the plugins of one manager.

    Args:
        manager: `Plugins.manager`.
        report: told of each failure as it happens; an exception of its own is a bug of ours and ends
            the run.
    """

    def __init__(
        self, manager: pluggy.PluginManager, report: Callable[[EventFailure], None] = log_failure
    ) -> None:
        self._manager = manager
        self._report = report
        self._failures: dict[tuple[str, str], int] = {}

    def emit(self, event: str, /, **payload: Any) -> list[EventFailure]:
        """Tell every plugin that implements `event`, and return the failures of those that raised.

        Args:
            event: one of `EVENTS`.
            payload: every argument of the hook. Lists and dicts are handed on as tuples and read-only
                mappings; records are frozen already.

        Raises:
            ValueError: no such event, or not its arguments (our own bug, never a plugin's).
        """
        if event not in EVENTS:
            raise ValueError(f"no event is named {event!r}; {near(event, EVENTS)}")
        caller = getattr(self._manager.hook, event)
        if set(payload) != set(caller.spec.argnames):
            raise ValueError(f"{event} takes {caller.spec.argnames}, not {tuple(payload)}")
        values = {name: _read_only(value) for name, value in payload.items()}
        failures = []
        # pluggy keeps the implementation that is to be called first at the end.
        for implementation in reversed(caller.get_hookimpls()):
            # Arguments with a default count as asked for: pluggy itself would never fill them.
            wanted = [*implementation.argnames, *implementation.kwargnames]
            try:
                implementation.function(**{name: values[name] for name in wanted if name in values})
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - isolation: any fault of a plugin is reported, even sys.exit
                failures.append(self._failed(event, implementation.plugin_name, error))
        return failures

    def _failed(self, event: str, plugin: str, error: BaseException) -> EventFailure:
        times = self._failures[plugin, event] = self._failures.get((plugin, event), 0) + 1
        lines = traceback.format_exception(error)
        failure = EventFailure(event, plugin, lines[-1].strip(), "".join(lines), times)
        self._report(failure)
        return failure


def _read_only(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return MappingProxyType(value) if isinstance(value, dict) else value
