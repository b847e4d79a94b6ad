"""The outline of a long ledger: what its lines say without their texts, and where each line is.

A ledger of gigabytes is nearly all texts, and nearly every reader passes over them. `ledger.outline`, beside
the ledger, has for each line its type, place and size, and of lines with texts (`group`, `sample`, `verdict`)
a brief: the same JSON with only the fields that summaries rest on. Readers decode a brief as they decode the
line. Texts are read where they are asked for, by their place.

It is derived data, never trusted over the ledger. It is written a block at a time, each with a checksum, the
part of the ledger that it covers and a hash of that part's end. Blocks that are torn, damaged or do not fit
the ledger are cut off, and what no block covers is read from the ledger. So a process may be killed anywhere,
an outline may be deleted at any time, and one that cannot be written is done without. The writer of a ledger
adds to it at each commit, and readers make one that is missing. Short ledgers have none.
"""

from __future__ import annotations

import fcntl
import zlib
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, TypeVar

import msgspec

from harness.contract.errors import UNPARSABLE
from harness.recording.briefs import brief_of
from harness.recording.scan import SCHEMA, Head, read_from

#: Bytes of the ledger that a block covers, and the rest of a line. What no block covers is read whole.
BLOCK: Final = 1 << 20
#: Blocks that a ledger is long when it gets an outline: shorter ones are read at once.
FIRST: Final = 8
#: Of the form of blocks and briefs; blocks of another version are not read.
VERSION: Final = f"1/{SCHEMA}"
#: Bytes at the end of what a block covers whose hash tells whether it fits a ledger.
TAIL: Final = 4096
_NONE: Final = b"null"


class Entry(NamedTuple):
    """One line of the ledger: its type, its first byte and its size."""

    kind: str
    at: int
    size: int
    #: The stage and step that it is done again with after a rewind; None of a line that always stands.
    stage: str | None
    step: int
    #: The line or its brief; None if it has to be read from the ledger.
    json: bytes | None


class _Row(msgspec.Struct, array_like=True):
    kind: str
    at: int
    size: int
    stage: str | None
    step: int
    #: `null` of a line that has none.
    brief: msgspec.Raw


class _Rewind(msgspec.Struct, array_like=True):
    at: int
    stage: str
    step: int


class _Header(msgspec.Struct):
    """A block without its rows."""

    version: str
    #: Bytes of the ledger that are covered: from the first one to before the last one.
    start: int
    to: int
    #: Hash of the last `TAIL` bytes before `to`.
    tail: str
    rewinds: list[_Rewind]


class _Block(_Header):
    rows: list[_Row]


H = TypeVar("H", bound=_Header)

_encode: Final = msgspec.json.Encoder().encode
_header: Final = msgspec.json.Decoder(_Header)
_block: Final = msgspec.json.Decoder(_Block)


class Outline:
    """The outline of one ledger, which may be growing. Any number of processes may have it open.

    Args:
        ledger: path of the ledger.
        block: bytes that a block covers at least; `BLOCK` if not given.
    """

    def __init__(self, ledger: Path, block: int | None = None) -> None:
        self.ledger, self.path = ledger, ledger.with_suffix(".outline")
        self._size = block or BLOCK
        #: The last block that is known to fit, and where it ends in the outline.
        self._last: _Header | None = None
        self._end = 0

    def extend(self) -> None:
        """Write blocks for what the ledger has gained, if that is as much as a block.

        Raises:
            LedgerError: a line that no block covers is damaged, or of another format.
        """
        if self.ledger.stat().st_size - self._to < self._size * (1 if self._last else FIRST):
            return
        try:
            # Without a buffer: what did not fit on the disk would be written once more at the end.
            file = self.path.open("a+b", buffering=0)
        except OSError:  # a folder that can only be read: the ledger is read instead
            return
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another process is at it
                return
            if file.seek(0, 2) != self._end or not self._fits(self._last):
                self._load()
            while self.ledger.stat().st_size - self._to >= self._size and (made := self._next()):
                line = _line(made)
                try:
                    file.truncate(self._end)
                    if file.write(line) != len(line):
                        return
                except OSError:  # no room: a block that is not whole is none
                    return
                self._last, self._end = made, self._end + len(line)

    def entries(self, *, replaced: bool = False) -> Iterator[Entry]:
        """The ledger's lines in order, up to a torn last one. Steps that a later resume did again are left
        out, unless `replaced` asks for them.

        Raises:
            LedgerError: there is no ledger, or a line that no block covers is damaged or of another format.
        """
        if self.ledger.exists():
            self.extend()
        # A file that another process rewrites meanwhile is, for this one, as it was or not there.
        rewinds = self._load()
        rewinds += (
            _Rewind(at, head.stage, head.step)
            for at, head, _ in read_from(self.ledger, self._to)
            if head.t == "rewound"
        )
        for entry in self._all():
            if replaced or not any(
                entry.at < rewind.at and entry.stage == rewind.stage and entry.step > rewind.step
                for rewind in rewinds
            ):
                yield entry

    def read(self, wanted: Callable[[str], bool] = lambda kind: True) -> Iterator[tuple[str, bytes]]:
        """(type, JSON) of each line that stands and whose type is wanted, in order: of lines with texts the
        line or its brief, of all others the line.

        Raises:
            LedgerError: as `entries`.
        """
        with Texts(self.ledger) as texts:
            for entry in self.entries():
                if wanted(entry.kind):
                    yield entry.kind, texts.json(entry)

    @property
    def _to(self) -> int:
        return 0 if self._last is None else self._last.to

    def _next(self) -> _Block | None:
        """The block after the last one; None if there is too little for one."""
        start, rows, rewinds = self._to, list[_Row](), list[_Rewind]()
        for at, head, raw in read_from(self.ledger, start):
            rows.append(_row(at, head, raw))
            if head.t == "rewound":
                rewinds.append(_Rewind(at, head.stage, head.step))
            to = at + len(raw)
            if to - start >= self._size:
                return _Block(VERSION, start, to, self._tail(to), rewinds, rows)
        return None

    def _load(self) -> list[_Rewind]:
        """Find the last block that fits the ledger; returns the rewinds of the blocks up to there."""
        self._last, self._end = None, 0
        known, end = [], 0
        for raw, header in self._blocks(_header):
            end += len(raw)
            known.append((end, header))
        while known and not self._fits(known[-1][1]):
            known.pop()
        if known:
            self._end, self._last = known[-1]
        return [rewind for _, header in known for rewind in header.rewinds]

    def _all(self) -> Iterator[Entry]:
        """All lines: those of the blocks, then those that no block covers."""
        covered = self._to
        to = 0
        for _, block in self._blocks(_block):
            if block.to > covered:
                break
            to = block.to
            for row in block.rows:
                brief = bytes(row.brief)
                yield Entry(
                    row.kind, row.at, row.size, row.stage, row.step, None if brief == _NONE else brief
                )
        for at, head, raw in read_from(self.ledger, to):
            stage, step = head.place or (None, 0)
            yield Entry(head.t, at, len(raw), stage, step, raw)

    def _blocks(self, decoder: msgspec.json.Decoder[H]) -> Iterator[tuple[bytes, H]]:
        """Whole blocks, each from where the one before it ends."""
        try:
            file = self.path.open("rb")
        except OSError:
            return
        to = 0
        with file:
            for line in file:
                block = _decoded(line, decoder)
                if block is None or block.start != to:
                    return
                to = block.to
                yield line, block

    def _fits(self, block: _Header | None) -> bool:
        return block is None or (
            self.ledger.exists()
            and block.to <= self.ledger.stat().st_size
            and self._tail(block.to) == block.tail
        )

    def _tail(self, to: int) -> str:
        with self.ledger.open("rb") as file:
            file.seek(max(0, to - TAIL))
            return blake2b(file.read(min(to, TAIL)), digest_size=8).hexdigest()


class Texts:
    """A ledger whose lines are read by their places; to be entered."""

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._file: BinaryIO | None = None

    def json(self, entry: Entry) -> bytes:
        """The line or its brief."""
        return self.line(entry) if entry.json is None else entry.json

    def line(self, entry: Entry) -> bytes:
        """The whole line."""
        return self.read(entry.at, entry.size)

    def read(self, at: int, size: int) -> bytes:
        """So many bytes from there on."""
        if self._file is None:
            self._file = self._ledger.open("rb")
        self._file.seek(at)
        return self._file.read(size)

    def __enter__(self) -> Texts:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            self._file.close()


def _row(at: int, head: Head, raw: bytes) -> _Row:
    stage, step = head.place or (None, 0)
    brief = brief_of(head.t, raw)
    return _Row(head.t, at, len(raw), stage, step, msgspec.Raw(brief or _NONE))


def _line(block: _Block) -> bytes:
    content = _encode(block)
    return b"%08x %b\n" % (zlib.crc32(content), content)


def _decoded(line: bytes, decoder: msgspec.json.Decoder[H]) -> H | None:
    """A block; None if it is torn, damaged or of another version."""
    content = line[9:-1]
    if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(content):
        return None
    try:
        block = decoder.decode(content)
    except UNPARSABLE:
        return None
    return block if block.version == VERSION else None
