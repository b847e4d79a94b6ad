"""A ledger's lines as reports want them: texts passed over without being decoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.recording.outline import Outline
from harness.recording.shapes import LineDecoder, whole
from harness.recording.spending import Spent


class GroupLine(msgspec.Struct):
    """What is kept of a group: its subject, and how many of its samples are new (`Group.fresh`)."""

    subject: str
    fresh: int


class _Group(msgspec.Struct):
    subject: str
    known: int = 0
    statuses: tuple[str, ...] = ()
    replayed: tuple[bool, ...] = ()


class _WholeGroupLine(msgspec.Struct):
    group: _Group

    @property
    def kept(self) -> GroupLine:
        """Samples are new that are neither of an earlier form of the group nor replayed."""
        group = self.group
        fresh = len(group.statuses) - group.known - sum(group.replayed[group.known :])
        return GroupLine(group.subject, fresh)


class MeasurementLine(msgspec.Struct):
    """What is kept of a round of a measurement: the run's cost so far."""

    spent_rollouts: int = 0
    spent_tokens: int = 0
    spent_cpu_seconds: float = 0.0
    spent_usd: float = 0.0
    spent_unreturned: int = 0
    spent_sources: dict[str, int] = {}

    @property
    def spent(self) -> Spent:
        return Spent.of(msgspec.structs.asdict(self))


_measurement = LineDecoder(MeasurementLine)
_group = LineDecoder(_WholeGroupLine)
_PASSED_OVER = frozenset({"sample", "verdict", "scoring", "rewound", "note", "plugin_failed"})


def events(path: Path) -> Iterator[tuple[str, Any]]:
    """(type, line) of what stands in a ledger: a dict, or a `GroupLine` or `MeasurementLine` of its type.

    Raises:
        LedgerError: there is no ledger, or a line before the last is damaged.
    """
    for kind, raw in Outline(path).read(is_event):
        yield kind, event(kind, raw, str(path))


def is_event(kind: str) -> bool:
    """Whether lines of this type are more than the text of a sample or a remark."""
    return kind not in _PASSED_OVER


def event(kind: str, raw: bytes, where: str = "") -> Any:
    """A line of this type from its JSON; raises LedgerError for one that does not fit."""
    if kind == "group":
        return _group.decode(raw, where).kept
    return _measurement.decode(raw, where) if kind == "measurement" else whole(kind, raw, where)
