"""A ledger's lines as reports want them: texts passed over without being decoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.ledger import read_raw


class _Group(msgspec.Struct):
    subject: str
    step: int = 0


class GroupLine(msgspec.Struct):
    """What is kept of a group: when it was drawn and its subject."""

    group: _Group
    stage: str = ""


_group = msgspec.json.Decoder(GroupLine)
_PASSED_OVER = frozenset({"sample", "verdict", "scoring", "rewound", "measurement", "note", "plugin_failed"})


def events(path: Path) -> Iterator[tuple[str, Any]]:
    """(type, line) of what stands in a ledger: a dict, or a `GroupLine` for groups.

    Raises:
        LedgerError: there is no ledger, or a line before the last is damaged.
    """
    for kind, raw in read_raw(path):
        if kind == "group":
            yield kind, _group.decode(raw)
        elif kind not in _PASSED_OVER:
            yield kind, msgspec.json.decode(raw)
