"""The samples of a run's training, one by one: what was answered, what the verifier found, what it earned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.contract.samples import Group, Sample
from harness.recording.groups import read_group
from harness.recording.outline import Entry, Outline, Texts
from harness.recording.shapes import LineDecoder


@dataclass(frozen=True, slots=True)
class TrainedSample:
    """A sample where it stands: number `number` of its task's samples in the step."""

    stage: str
    group: Group
    number: int
    kept: bool

    @property
    def sample(self) -> Sample:
        return self.group.samples[self.number]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which samples are asked for; None and "" take all."""

    stage: str = ""
    step: int | None = None
    task: str = ""
    number: int | None = None
    status: str = ""
    #: (stage, step) pairs.
    places: Collection[tuple[str, int]] | None = None

    def takes_step(self, stage: str, step: int) -> bool:
        """Whether any group of the step may be wanted."""
        return (
            (not self.stage or stage == self.stage)
            and self.step in (None, step)
            and (self.places is None or (stage, step) in self.places)
        )

    def takes(self, stage: str, group: Group) -> bool:
        """Whether any sample of the group may be wanted."""
        return self.takes_step(stage, group.step) and (
            not self.task or self.task in (group.task, group.subject)
        )

    def takes_sample(self, number: int, sample: Sample) -> bool:
        return (self.number is None or number == self.number) and (
            not self.status or sample.verdict.status == self.status
        )


def samples(run: Path, wanted: Wanted) -> Iterator[TrainedSample]:
    """The wanted samples of a run's training, in the ledger's order; groups in their last form.

    Raises:
        LedgerError: there is no ledger, or a line before the last is damaged.
    """
    path = run / "ledger.jsonl"
    with Texts(path) as texts:
        for line, entry in _last_forms(path, wanted):
            values = _kept.decode(texts.line(entry), str(path))
            group = read_group(values.group, where=str(path))
            if wanted.takes(line.stage, group):
                for number, sample in enumerate(group.samples):
                    if wanted.takes_sample(number, sample):
                        yield TrainedSample(line.stage, group, number, values.kept)


def step_sizes(run: Path) -> dict[tuple[str, int], int]:
    """How many samples each step of a run's training has, by (stage, step), in the ledger's order.

    Raises:
        LedgerError: there is no ledger, or a line before the last is damaged.
    """
    sizes: Counter[tuple[str, int]] = Counter()
    for line, _ in _last_forms(run / "ledger.jsonl", Wanted()):
        sizes[line.stage, line.group.step] += len(line.group.statuses)
    return dict(sizes)


def _last_forms(path: Path, wanted: Wanted) -> Iterator[tuple[_Line, Entry]]:
    """The groups of the wanted steps, each in its last form: a later line may have the group with more
    samples."""
    outline = Outline(path)
    with Texts(path) as texts:

        def groups() -> Iterator[tuple[_Line, Entry]]:
            for entry in outline.entries():
                if entry.kind == "group" and wanted.takes_step(entry.stage or "", entry.step):
                    yield _line.decode(texts.json(entry), str(path)), entry

        forms = Counter(line.place for line, _ in groups())
        for line, entry in groups():
            forms[line.place] -= 1
            if not forms[line.place]:
                yield line, entry


class _Group(msgspec.Struct):
    task: str
    step: int
    statuses: list[str] = []
    index: int = 0
    replayed: list[bool] = []


class _Line(msgspec.Struct):
    stage: str
    group: _Group

    @property
    def place(self) -> tuple[str, int, str, int, bool]:
        return self.stage, self.group.step, self.group.task, self.group.index, bool(self.group.replayed)


class KeptGroup(msgspec.Struct):
    """A `group` line: its columns, and whether the gates kept it."""

    kept: bool
    group: dict[str, Any]


_line: Final = LineDecoder(_Line)
_kept: Final = LineDecoder(KeptGroup)
