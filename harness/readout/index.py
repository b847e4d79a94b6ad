"""An index of a run's samples beside its ledger: one in a million is found without reading them all.

`samples.sqlite` holds what samples are looked for by, and where in the ledger their lines begin; texts stay
in the ledger. It follows a ledger that grows from where it stopped. Nothing rests on it: it may be deleted at
any time, and one that is missing, damaged, of another version or of another ledger is made anew.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from math import inf
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.contract.errors import LedgerError
from harness.contract.records import CUT
from harness.readout.lines import GroupLine, event, is_event
from harness.recording.ledger import Head, read_from
from harness.recording.shapes import LineDecoder
from harness.support.folders import cache_folder

NAME: Final = "samples.sqlite"
#: Of the tables; an index of another version is made anew.
VERSION: Final = 2
#: Lines that are indexed at once.
BATCH: Final = 4000
#: Groups whose numbers are kept in memory.
KNOWN: Final = 50_000
#: Longest extracted answer and longest reason in the index, in characters; the ledger has the whole.
SHORT: Final = 120

_TABLES: Final = """
CREATE TABLE about (name TEXT PRIMARY KEY, value);
CREATE TABLE groups (
    id INTEGER PRIMARY KEY, heldout TEXT, name TEXT, stage TEXT, step INTEGER, task TEXT, part INTEGER,
    replayed INTEGER, subject TEXT
);
CREATE UNIQUE INDEX place ON groups (heldout, task, name, stage, step, part, replayed);
CREATE TABLE samples (
    id INTEGER PRIMARY KEY, of INTEGER, number INTEGER, at INTEGER, size INTEGER, status TEXT, score REAL,
    tokens INTEGER, cut INTEGER, judged_at INTEGER, judged_size INTEGER, scoring INTEGER, reward REAL,
    extracted TEXT, reason TEXT
);
CREATE UNIQUE INDEX member ON samples (of, number);
CREATE INDEX outcome ON samples (of, status, cut, tokens);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, kind TEXT, at INTEGER, size INTEGER, stage TEXT, step INTEGER, subject TEXT,
    fresh INTEGER
);
CREATE TABLE tags (heldout TEXT, tag TEXT, task TEXT, PRIMARY KEY (heldout, tag, task)) WITHOUT ROWID;
"""
_GROUP: Final = ("heldout", "task", "name", "stage", "step", "part", "replayed")
_SAMPLE: Final = (
    "INSERT OR REPLACE INTO samples (of, number, at, size, status, score, tokens, cut, reward, extracted, "
    "reason, scoring) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
)
_VERDICT: Final = (
    "UPDATE samples SET status = ?, score = ?, extracted = ?, reason = ?, judged_at = ?, judged_size = ?, "
    "scoring = ? WHERE of IN (SELECT id FROM groups WHERE heldout = ? AND task = ?) AND number = ?"
)
#: A task's samples in one place: the columns `_GROUP`.
Members = tuple[str, str, str, str, int, int, bool]


class _Verdict(msgspec.Struct):
    status: str
    score: float | None = None
    extracted: str | None = None
    reason: str = ""


class _Key(msgspec.Struct):
    task: str
    sample: int


class _Rollout(msgspec.Struct):
    key: _Key
    finish: str


class _Sample(msgspec.Struct):
    """A `sample` line."""

    name: str
    heldout: str
    rollout: _Rollout
    verdict: _Verdict
    stage: str = ""
    step: int = 0
    tokens: int = 0


class _Judged(msgspec.Struct):
    """A `verdict` line."""

    scoring: int
    heldout: str
    task: str
    sample: int
    verdict: _Verdict


class _Columns(msgspec.Struct):
    task: str
    subject: str
    step: int
    statuses: list[str]
    scores: list[float | None]
    rewards: list[float | None]
    lengths: list[int]
    index: int = 0
    truncated: list[bool] | None = None
    replayed: list[bool] | None = None
    extracted: list[str | None] | None = None
    reasons: list[str] | None = None


class _Group(msgspec.Struct):
    """A `group` line."""

    stage: str
    group: _Columns


class SampleIndex:
    """The index of one run's ledger. Threads may share it.

    Args:
        run: folder with the `ledger.jsonl`. If it cannot be written to, the index is in the cache folder.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.ledger = run / "ledger.jsonl"
        self.path = _place(run)
        self._writing = threading.Lock()
        self._sample = LineDecoder(_Sample)
        self._judged = LineDecoder(_Judged)
        self._group = LineDecoder(_Group)
        self._known: dict[Members, int] = {}

    # Keeping up with the ledger --------------------------------------------------------------------

    def catch_up(self, seconds: float = inf) -> bool:
        """Index what the ledger has gained, for about so long; returns whether all of it is there.

        Raises:
            LedgerError: there is no ledger, or a line before the last is damaged.
        """
        end = time.monotonic() + seconds
        with self._writing, self._writer() as db:
            self._known.clear()
            while True:
                start = self.read_to(db)
                if start >= self.ledger.stat().st_size or not self._take(db, start):
                    return True
                if time.monotonic() > end:
                    return False

    def share(self) -> float:
        """How much of the ledger is indexed, in [0, 1]."""
        size = self.ledger.stat().st_size if self.ledger.exists() else 0
        with self.reader() as db:
            return min(1.0, self.read_to(db) / size) if size else 1.0

    def tag(self, heldout: str, tags: Mapping[str, Iterable[str]]) -> None:
        """Keep the tags of a set's tasks, by task, in the place of those that were known."""
        rows = [(heldout, tag, task) for task, of_task in tags.items() for tag in of_task]
        with self._writing, self._writer() as db, db:
            db.execute("DELETE FROM tags WHERE heldout = ?", (heldout,))
            db.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?, ?)", rows)

    @contextmanager
    def reader(self) -> Iterator[sqlite3.Connection]:
        """A connection that reads; an index that is missing is there, and empty, when this is entered."""
        if not self._usable():
            with self._writing, self._writer():
                pass
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=30)) as db:
            db.row_factory = sqlite3.Row
            yield db

    def events(self) -> Iterator[tuple[str, Any]]:
        """What stands in the ledger besides samples, as `harness.readout.lines.events` has it, without the
        groups' texts being read."""
        with self.reader() as db, self.ledger.open("rb") as file:
            for kind, at, size, subject, fresh in db.execute(
                "SELECT kind, at, size, subject, fresh FROM events ORDER BY id"
            ):
                if subject is None:
                    file.seek(at)
                    yield kind, event(kind, file.read(size), str(self.ledger))
                else:
                    yield kind, GroupLine(subject, fresh)

    @staticmethod
    def read_to(db: sqlite3.Connection) -> int:
        """The first byte of the ledger that is not indexed."""
        row = db.execute("SELECT value FROM about WHERE name = 'read_to'").fetchone()
        return int(row[0])

    @contextmanager
    def _writer(self) -> Iterator[sqlite3.Connection]:
        """A connection that writes, on an index that fits the ledger."""
        if not self.ledger.is_file():
            raise LedgerError("there is no ledger here", where=str(self.ledger))
        if not self._usable():
            for path in (self.path, *(self.path.with_name(self.path.name + end) for end in ("-wal", "-shm"))):
                path.unlink(missing_ok=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = OFF")
            db.execute("PRAGMA cache_size = -32000")
            db.execute("BEGIN IMMEDIATE")
            if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'about'").fetchone():
                for statement in filter(str.strip, _TABLES.split(";")):
                    db.execute(statement)
                facts = {"version": VERSION, "read_to": 0, "ledger": _first_line(self.ledger)}
                db.executemany("INSERT INTO about VALUES (?, ?)", facts.items())
            db.execute("COMMIT")
            yield db

    def _usable(self) -> bool:
        """Whether the index is there, is of this version and belongs to this ledger."""
        if not self.path.is_file():
            return False
        try:
            with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=30)) as db:
                about = dict(db.execute("SELECT name, value FROM about").fetchall())
        except sqlite3.DatabaseError:  # no index, or a damaged one
            return False
        size = self.ledger.stat().st_size if self.ledger.exists() else 0
        return (
            about.get("version") == VERSION
            and about.get("read_to", inf) <= size
            and (about.get("ledger") == _first_line(self.ledger))
        )

    def _take(self, db: sqlite3.Connection, start: int) -> int:
        """Index up to `BATCH` lines from `start` on, all or nothing; returns how many there were."""
        db.execute("BEGIN IMMEDIATE")
        try:
            samples: list[tuple[Any, ...]] = []
            number = 0
            for at, head, raw in itertools.islice(read_from(self.ledger, start), BATCH):
                number, start = number + 1, at + len(raw)
                if head.t == "sample":
                    samples.append(self._sample_row(db, at, raw))
                elif head.t == "group":
                    samples += self._group_rows(db, at, raw)
                if samples and (head.t not in ("sample", "group") or len(samples) > BATCH):
                    db.executemany(_SAMPLE, samples)
                    samples = []
                self._take_event(db, at, head, raw)
            db.executemany(_SAMPLE, samples)
            db.execute("UPDATE about SET value = ? WHERE name = 'read_to'", (start,))
        except BaseException:
            db.execute("ROLLBACK")
            self._known.clear()
            raise
        db.execute("COMMIT")
        return number

    def _take_event(self, db: sqlite3.Connection, at: int, head: Head, raw: bytes) -> None:
        """Index what a line says besides its samples."""
        if head.t == "rewound":
            after, since = "stage = ? AND step > ?", (head.stage, head.step)
            db.execute(f"DELETE FROM samples WHERE of IN (SELECT id FROM groups WHERE {after})", since)
            db.execute(f"DELETE FROM events WHERE {after}", since)
        elif head.t == "verdict":
            line = self._judged.decode(raw, str(self.ledger))
            verdict = line.verdict
            judged = (verdict.status, verdict.score, _short(verdict.extracted), _short(verdict.reason))
            place = (line.heldout, line.task, line.sample)
            db.execute(_VERDICT, (*judged, at, len(raw), line.scoring, *place))
        elif is_event(head.t):
            stage, step = head.place or (None, None)
            subject = fresh = None
            if head.t == "group":
                group = event(head.t, raw, str(self.ledger))
                subject, fresh = group.subject, group.fresh
            row = (head.t, at, len(raw), stage, step, subject, fresh)
            db.execute(
                "INSERT INTO events (kind, at, size, stage, step, subject, fresh) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )

    def _sample_row(self, db: sqlite3.Connection, at: int, raw: bytes) -> tuple[Any, ...]:
        line = self._sample.decode(raw, str(self.ledger))
        key, verdict = line.rollout.key, line.verdict
        of = self._of(db, (line.heldout, key.task, line.name, line.stage, line.step, 0, False), "")
        return (
            of, key.sample, at, len(raw), verdict.status, verdict.score, line.tokens,
            line.rollout.finish in CUT, None, _short(verdict.extracted), _short(verdict.reason),
        )  # fmt: skip

    def _group_rows(self, db: sqlite3.Connection, at: int, raw: bytes) -> Iterator[tuple[Any, ...]]:
        line = self._group.decode(raw, str(self.ledger))
        group, size = line.group, len(raw)
        columns = (
            group.scores,
            group.rewards,
            group.lengths,
            group.truncated,
            group.extracted,
            group.reasons,
        )
        if any(column is not None and len(column) != len(group.statuses) for column in columns):
            raise LedgerError(
                f"columns of a group of {group.task!r} differ in length", where=f"{self.ledger}, byte {at}"
            )
        place = ("", group.task, "", line.stage, group.step, group.index, bool(group.replayed))
        of = self._of(db, place, group.subject)
        for number, status in enumerate(group.statuses):
            yield (
                of, number, at, size, status, group.scores[number], group.lengths[number],
                bool(group.truncated and group.truncated[number]), group.rewards[number],
                _short(group.extracted[number]) if group.extracted else None,
                _short(group.reasons[number]) if group.reasons else "",
            )  # fmt: skip

    def _of(self, db: sqlite3.Connection, members: Members, subject: str) -> int:
        """The number of a group, which it gets if it has none."""
        known = self._known.get(members)
        if known is None:
            where = " AND ".join(f"{name} = ?" for name in _GROUP)
            row = db.execute(f"SELECT id FROM groups WHERE {where}", members).fetchone()
            if row is None:
                columns = ", ".join((*_GROUP, "subject"))
                insert = f"INSERT INTO groups ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                known = db.execute(insert, (*members, subject)).lastrowid
                assert known is not None
            else:
                known = int(row[0])
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[members] = known
        return known


def _place(run: Path) -> Path:
    """Where a run's index is: beside its ledger, if that can be written."""
    if os.access(run, os.W_OK):
        return (run / NAME).absolute()
    name = hashlib.blake2b(str(run.resolve()).encode(), digest_size=8).hexdigest()
    return (cache_folder() / "samples" / f"{name}.sqlite").absolute()


def _first_line(ledger: Path) -> str:
    """What tells ledgers apart: hash of the first line; empty while there is none."""
    try:
        _, _, raw = next(read_from(ledger), (0, None, b""))
    except LedgerError:  # no ledger, or a fault that whoever reads it is told
        raw = b""
    return hashlib.blake2b(raw, digest_size=8).hexdigest() if raw else ""


def _short(text: str | None) -> str | None:
    return text if text is None or len(text) <= SHORT else text[: SHORT - 1] + "…"
