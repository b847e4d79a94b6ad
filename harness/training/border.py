"""What plugins return is checked here, once, before anything rests on it; the error names the plugin.

Numbers of numpy are welcome. A shaper that returns one reward too few, a nan or text would otherwise
falsify a budget or be blamed on the learning rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from numbers import Real
from typing import Any

from harness.contract.errors import PluginError
from harness.contract.protocols import Ask
from harness.contract.records import Task
from harness.contract.samples import Group


def rewards(values: Any, group: Group, plugin: str) -> list[float | None]:
    """A shaper's rewards, shape (G,); what was masked must stay masked, and nothing else may be.

    Raises:
        PluginError: another number of values, or one that is no finite number.
    """
    who = f"shaper {plugin!r}"
    made = [
        None if v is None else _number(v, f"{who}: reward") for v in _of_length(values, group, who, "reward")
    ]
    for i, (new, sample) in enumerate(zip(made, group.samples, strict=True)):
        if sample.reward is None and new is not None:
            raise PluginError(
                f"rewards sample {i} with {new}, which could not be judged",
                where=f"{who}, task {group.task!r}",
                allowed="None for samples whose reward is None",
            )
    return made


def advantages(values: Any, group: Group, plugin: str) -> list[float | list[float]]:
    """A shaper's advantages, shape (G,): numbers, or one number per token of the completion.

    Raises:
        PluginError: another number of values, or one that is no finite number.
    """
    who = f"shaper {plugin!r}"
    made: list[float | list[float]] = []
    for i, value in enumerate(_of_length(values, group, who, "advantage")):
        if not _many(value):
            made.append(_number(value, f"{who}: advantage"))
            continue
        credit = [_number(v, f"{who}: advantage of a token") for v in value]
        if len(credit) != group.samples[i].tokens:
            raise PluginError(
                f"returned {len(credit)} advantages for the tokens of sample {i}",
                where=f"{who}, task {group.task!r}",
                allowed=f"{group.samples[i].tokens}, one per token of the completion",
            )
        made.append(credit)
    return made


def reward(value: Any, plugin: str) -> float | None:
    """A reward's number.

    Raises:
        PluginError: it is no finite number.
    """
    return None if value is None else _number(value, f"reward {plugin!r}")


def keeps(value: Any, plugin: str) -> bool:
    """A gate's decision.

    Raises:
        PluginError: it is neither True nor False.
    """
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise PluginError(f"keep returned {value!r}", where=f"gate {plugin!r}", allowed="True or False")


def tasks(values: Any, size: int, plugin: str) -> list[Ask]:
    """A curriculum's choice; a plain task has the stage's group size.

    Raises:
        PluginError: something else than tasks, or a group of less than one sample.
    """
    who = f"curriculum {plugin!r}"
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise PluginError(f"next returned {type(values).__name__}", where=who, allowed="a sequence of tasks")
    made = []
    for value in values:
        ask = Ask(value, size) if isinstance(value, Task) else value
        if not isinstance(ask, Ask) or not isinstance(ask.task, Task):
            raise PluginError(
                f"returned {value!r:.200}", where=who, allowed="a Task, or an Ask with its size"
            )
        if isinstance(ask.n, bool) or not isinstance(ask.n, int) or ask.n < 1:
            raise PluginError(
                f"asks for {ask.n!r} samples of task {ask.task.id!r}", where=who, allowed="at least 1"
            )
        made.append(ask)
    return made


def _of_length(values: Any, group: Group, who: str, what: str) -> Sequence[Any]:
    if not _many(values):
        raise PluginError(
            f"returned {type(values).__name__} as {what}s", where=f"{who}, task {group.task!r}",
            allowed=f"a sequence of {group.size}",
        )  # fmt: skip
    listed = list(values)
    if len(listed) != group.size:
        raise PluginError(
            f"returned {len(listed)} {what}s", where=f"{who}, task {group.task!r}",
            allowed=f"{group.size}, one per sample of the group",
        )  # fmt: skip
    return listed


def _many(value: Any) -> bool:
    """A sequence or an array of one dimension or more; neither a mapping nor text."""
    if isinstance(value, str | bytes | dict | set):
        return False
    return isinstance(value, Sequence) or (hasattr(value, "__array__") and getattr(value, "ndim", 0) > 0)


def _number(value: Any, what: str) -> float:
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise PluginError(f"{value!r}", where=what, allowed="a finite number")
    return float(value)
