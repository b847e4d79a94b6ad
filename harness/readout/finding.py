"""Finding samples of a run by what they are, through its index."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import msgspec

from harness.contract.records import JUDGED, Rollout, Verdict
from harness.contract.samples import Sample
from harness.readout.index import SampleIndex
from harness.readout.samples import KeptGroup
from harness.recording.groups import read_group
from harness.recording.shapes import LineDecoder

#: The set of the samples of training.
TRAINING: Final = ""
_JUDGED: Final = ", ".join(f"'{status}'" for status in sorted(JUDGED))
_COLUMNS: Final = (
    "samples.id, heldout, name, stage, step, task, number, part, replayed, subject, status, score, tokens, "
    "cut, scoring, reward, extracted, reason"
)
#: In the ledger's order, and a group at a time: the first table is the outer loop of a `CROSS JOIN`.
_IN_ORDER: Final = "samples CROSS JOIN groups ON groups.id = samples.of"
_BY_GROUP: Final = "groups CROSS JOIN samples ON samples.of = groups.id"


@dataclass(frozen=True, slots=True)
class SampleKey:
    """What names a sample of a run, in this index and in one that is made anew."""

    heldout: str
    task: str
    number: int
    name: str = ""
    stage: str = ""
    step: int = 0
    #: Which of the task's groups in a step of training.
    part: int = 0
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample as lists show it; long texts are cut."""

    #: Its place among the samples of this index, in the ledger's order.
    id: int
    key: SampleKey
    #: The stratum that it was drawn from in training; empty in evaluations.
    subject: str
    status: str
    score: float | None
    tokens: int
    truncated: bool
    #: Number of the judgement.
    scoring: int
    reward: float | None
    extracted: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class WholeSample:
    """A sample with its text and its evidence, as the ledger has them."""

    row: SampleRow
    #: Under the latest verdict.
    sample: Sample
    #: False if a gate discarded its group.
    kept: bool = True
    #: The verdict made while generating, if a later one takes its place.
    first: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which samples are wanted; what is empty or None takes all."""

    heldout: str | None = None
    name: str = ""
    stage: str | None = None
    step: int | None = None
    task: str = ""
    status: str = ""
    #: Subject of training, or tag of an evaluation's problem.
    tag: str = ""
    #: Tokens, both included.
    least: int | None = None
    most: int | None = None
    truncated: bool | None = None
    #: Part of the task's name, of what was extracted or of the reason.
    words: str = ""
    #: Sets of which only the task's name may be searched.
    closed: tuple[str, ...] = ()

    def sql(self) -> tuple[str, list[Any]]:
        """The condition and its values."""
        parts, values = ["1"], list[Any]()
        for part, value in (
            ("heldout = ?", self.heldout),
            ("name = ?", self.name or None),
            ("stage = ?", self.stage),
            ("step = ?", self.step),
            ("task = ?", self.task or None),
            ("status = ?", self.status or None),
            ("tokens >= ?", self.least),
            ("tokens <= ?", self.most),
            ("cut = ?", self.truncated),
        ):
            if value is not None:
                parts.append(part)
                values.append(value)
        if self.tag:
            parts.append(
                "(subject = ? OR EXISTS (SELECT 1 FROM tags WHERE tags.heldout = groups.heldout "
                "AND tags.tag = ? AND tags.task = groups.task))"
            )
            values += [self.tag, self.tag]
        if self.words:
            like = "%" + "".join(f"\\{c}" if c in "\\%_" else c for c in self.words) + "%"
            shut = ", ".join("?" * len(self.closed))
            parts.append(
                f"(task LIKE ? ESCAPE '\\' OR (heldout NOT IN ({shut}) "
                "AND (extracted LIKE ? ESCAPE '\\' OR reason LIKE ? ESCAPE '\\')))"
            )
            values += [like, *self.closed, like, like]
        return " AND ".join(parts), values


@dataclass(frozen=True, slots=True)
class Matches:
    """A page of matches; `last` is where a search that ran out of time goes on."""

    rows: Sequence[SampleRow]
    #: The last sample that was looked at; None if there is none after the rows.
    last: int | None = None


def counts(index: SampleIndex, wanted: Filter) -> dict[str, int]:
    """How many samples have which status."""
    where, values = wanted.sql()
    with index.reader() as db:
        rows = db.execute(f"SELECT status, count(*) FROM {_BY_GROUP} WHERE {where} GROUP BY status", values)
        return dict(map(tuple, rows))


def sets(index: SampleIndex) -> dict[str, int]:
    """Sets with samples and how many they have; `TRAINING` is one."""
    with index.reader() as db:
        rows = db.execute(f"SELECT heldout, count(*) FROM {_BY_GROUP} GROUP BY heldout ORDER BY min(of)")
        return dict(map(tuple, rows))


def tags(index: SampleIndex, heldout: str | None) -> list[str]:
    """Subjects of training and tags of problems that samples can be asked for by."""
    where, values = ("", []) if heldout is None else (" AND heldout = ?", [heldout])
    with index.reader() as db:
        if heldout in (None, TRAINING):
            subjects = "SELECT DISTINCT subject FROM events WHERE subject IS NOT NULL"
            known = {row[0] for row in db.execute(subjects)}
        else:
            known = set()
        known |= {row[0] for row in db.execute(f"SELECT DISTINCT tag FROM tags WHERE 1{where}", values)}
    return list(known)


def page(index: SampleIndex, wanted: Filter, limit: int, after: int = 0) -> Matches:
    """Up to `limit` samples after one, in the ledger's order."""
    rows = _select(index, wanted, f"samples.id > ? ORDER BY samples.id LIMIT {limit + 1}", after)
    return Matches(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)


def before(index: SampleIndex, wanted: Filter, limit: int, first: int) -> int:
    """After which sample the page begins that ends before the sample `first`."""
    rows = _select(index, wanted, f"samples.id < ? ORDER BY samples.id DESC LIMIT {limit + 1}", first)
    return rows[limit].id if len(rows) > limit else 0


def beside(index: SampleIndex, wanted: Filter, at: int) -> tuple[SampleRow | None, SampleRow | None]:
    """The samples before and after one."""
    earlier = _select(index, wanted, "samples.id < ? ORDER BY samples.id DESC LIMIT 1", at)
    later = _select(index, wanted, "samples.id > ? ORDER BY samples.id LIMIT 1", at)
    return (earlier[0] if earlier else None), (later[0] if later else None)


def search(
    index: SampleIndex, wanted: Filter, text: str, limit: int, after: int = 0, seconds: float = 1.0
) -> Matches:
    """Up to `limit` samples after one whose completion holds `text` in any case, looked for so long."""
    condition, values = wanted.sql()
    shut = ", ".join("?" * len(wanted.closed))
    needle, folded = _needle(text), text.casefold()
    end, rows = time.monotonic() + seconds, list[SampleRow]()
    last = after
    with index.reader() as db, index.ledger.open("rb") as file:
        for row in db.execute(
            f"SELECT {_COLUMNS}, at, size FROM {_IN_ORDER} WHERE {condition} AND heldout NOT IN ({shut}) "
            "AND samples.id > ? ORDER BY samples.id",
            [*values, *wanted.closed, after],
        ):
            if len(rows) == limit or (last > after and time.monotonic() > end):
                return Matches(rows, last)
            last = row["id"]
            raw = _line(file, row["at"], row["size"])
            if needle in raw.lower() and folded in _text(raw, row["number"]).casefold():
                rows.append(_row(row))
    return Matches(rows)


def whole(index: SampleIndex, key: SampleKey) -> WholeSample | None:
    """All that the ledger has of a sample; None if there is none."""
    with index.reader() as db, index.ledger.open("rb") as file:
        row = db.execute(
            f"SELECT {_COLUMNS}, at, size, judged_at, judged_size FROM {_BY_GROUP} "
            "WHERE heldout = ? AND task = ? AND number = ? AND name = ? AND stage = ? AND step = ? "
            "AND part = ? AND replayed = ?",
            (key.heldout, key.task, key.number, key.name, key.stage, key.step, key.part, key.replayed),
        ).fetchone()
        if row is None:
            return None
        raw, where = _line(file, row["at"], row["size"]), str(index.ledger)
        if key.heldout == TRAINING:
            line = _kept.decode(raw, where)
            group = read_group(line.group, where=where)
            return WholeSample(_row(row), group.samples[key.number], line.kept)
        read = _sample.decode(raw, where)
        sample = Sample.of(read.rollout, read.verdict)
        # A server that reports no ids has its count beside the rollout.
        sample = msgspec.structs.replace(sample, tokens=read.tokens)
        if row["judged_at"] is None:
            return WholeSample(_row(row), sample)
        later = _judged.decode(_line(file, row["judged_at"], row["judged_size"]), where).verdict
        return WholeSample(_row(row), msgspec.structs.replace(sample, verdict=later), first=read.verdict)


def problems(index: SampleIndex, wanted: Filter) -> dict[str, tuple[float, float]]:
    """problem -> (passes, judged samples), of problems with one."""
    where, values = wanted.sql()
    with index.reader() as db:
        rows = db.execute(
            f"SELECT task, sum(status = 'pass'), count(*) FROM {_BY_GROUP} WHERE {where} "
            f"AND status IN ({_JUDGED}) GROUP BY task",
            values,
        )
        return {task: (float(passes), float(size)) for task, passes, size in rows}


def difficulty(index: SampleIndex) -> Mapping[tuple[str, int], Mapping[str, tuple[int, int]]]:
    """(stage, step) of training -> subject -> (passes, judged samples), in the ledger's order."""
    steps: dict[tuple[str, int], dict[str, tuple[int, int]]] = {}
    with index.reader() as db:
        for stage, step, subject, passes, size in db.execute(
            f"SELECT stage, step, subject, sum(status = 'pass'), count(*) FROM {_BY_GROUP} "
            f"WHERE heldout = '' AND replayed = 0 AND status IN ({_JUDGED}) "
            "GROUP BY stage, step, subject ORDER BY min(of)"
        ):
            steps.setdefault((stage, step), {})[subject] = (passes, size)
    return steps


def last_place(index: SampleIndex, heldout: str) -> Filter:
    """The samples of the last evaluation of a set; of training, those of the last step."""
    with index.reader() as db:
        row = db.execute(
            f"SELECT name, stage, step FROM {_IN_ORDER} WHERE heldout = ? ORDER BY samples.id DESC LIMIT 1",
            (heldout,),
        ).fetchone()
    return Filter(heldout=heldout) if row is None else Filter(heldout, row["name"], row["stage"], row["step"])


class _Sample(msgspec.Struct):
    """A `sample` line with its text."""

    rollout: Rollout
    verdict: Verdict
    tokens: int = 0


class _Judged(msgspec.Struct):
    """A `verdict` line."""

    verdict: Verdict


class _Text(msgspec.Struct):
    text: str = ""


class _Texts(msgspec.Struct):
    rollouts: list[_Text] | None = None


class _Texted(msgspec.Struct):
    """The texts of a line, without the rest."""

    rollout: _Text | None = None
    group: _Texts | None = None


_texted: Final = LineDecoder(_Texted)
_sample: Final = LineDecoder(_Sample)
_judged: Final = LineDecoder(_Judged)
_kept: Final = LineDecoder(KeptGroup)


def _text(raw: bytes, number: int) -> str:
    line = _texted.decode(raw)
    if line.rollout is not None:
        return line.rollout.text
    texts = line.group.rollouts if line.group is not None else None
    return texts[number].text if texts else ""


def _needle(text: str) -> bytes:
    """What must stand in a line, its ASCII letters lowered, if the text is in it: its longest stretch that
    JSON writes in one way and that has one case beyond ASCII."""
    stretches = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "\0" for c in text)
    return max(stretches.split("\0"), key=len).lower().encode()


def _line(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _select(index: SampleIndex, wanted: Filter, rest: str, value: int) -> list[SampleRow]:
    where, values = wanted.sql()
    with index.reader() as db:
        rows = db.execute(f"SELECT {_COLUMNS} FROM {_IN_ORDER} WHERE {where} AND {rest}", [*values, value])
        return [_row(row) for row in rows]


def _row(row: sqlite3.Row) -> SampleRow:
    key = SampleKey(
        row["heldout"], row["task"], row["number"], row["name"], row["stage"], row["step"], row["part"],
        bool(row["replayed"]),
    )  # fmt: skip
    return SampleRow(
        row["id"], key, row["subject"], row["status"], row["score"], row["tokens"], bool(row["cut"]),
        row["scoring"], row["reward"], row["extracted"], row["reason"] or "",
    )  # fmt: skip
