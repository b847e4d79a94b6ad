"""What a ledger says has been done, for a run that goes on."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.contract.errors import LedgerError
from harness.contract.records import Rollout, Verdict
from harness.recording.outline import Outline, Texts
from harness.recording.scan import Line
from harness.recording.shapes import LineDecoder, whole

EvaluationKey = tuple[str, str, str, int]


@dataclass(slots=True)
class History:
    """The done parts of a run, by what they are."""

    opened: Line | None = None
    finished: bool = False
    #: Complete measurements, and the last round of one that was interrupted, by stage.
    labels: dict[str, Line] = field(default_factory=dict)
    rounds: dict[str, Line] = field(default_factory=dict)
    stages: dict[str, Line] = field(default_factory=dict)
    #: Stages that were begun.
    started: set[str] = field(default_factory=set)
    #: The last checkpoint of each stage.
    checkpoints: dict[str, Line] = field(default_factory=dict)
    evaluations: dict[EvaluationKey, Line] = field(default_factory=dict)
    #: The whole line of the latest evaluation of each held-out set.
    latest: dict[str, Line] = field(default_factory=dict)
    #: Evaluations that lost samples and so have no score; they are not among `evaluations`.
    refused: dict[EvaluationKey, str] = field(default_factory=dict)
    #: Samples of evaluations that were interrupted or lost some.
    samples: dict[EvaluationKey, list[Line]] = field(default_factory=dict)


class _Place(msgspec.Struct):
    name: str
    heldout: str
    stage: str
    step: int


class _Sample(msgspec.Struct):
    rollout: Rollout
    verdict: Verdict


_place: Final = LineDecoder(_Place)
_sample: Final = LineDecoder(_Sample)


def read_history(path: Path) -> History:
    """Read a ledger; an absent one is an empty history."""
    history = History()
    if not path.exists():
        return history
    # Place and size of each line: 16 bytes a sample.
    samples: dict[EvaluationKey, array[int]] = defaultdict(lambda: array("Q"))
    where = str(path)
    with Texts(path) as texts:
        for entry in Outline(path).entries():
            if entry.kind in ("group", "verdict"):
                continue
            raw = texts.json(entry)
            if entry.kind == "sample":
                samples[_key(raw, where)].extend((entry.at, entry.size))
                continue
            line = whole(entry.kind, raw, where)
            if entry.kind == "evaluation":
                at = _key(raw, where)
                if line.get("refused"):
                    history.refused[at] = line["refused"]
                else:
                    history.evaluations[at] = {"scores": line.get("scores", {})}
                    history.latest[line["heldout"]] = line
                    history.refused.pop(at, None)
                    samples.pop(at, None)
            else:
                _take(history, entry.kind, line)
        # Whole samples are read of those evaluations alone that are to be gone on with.
        for at, places in samples.items():
            pairs = zip(places[::2], places[1::2], strict=True)
            history.samples[at] = [_whole_sample(texts.read(*pair), where) for pair in pairs]
    return history


def _take(history: History, kind: str, line: Line) -> None:
    if kind == "opened":
        history.opened = line
    elif kind == "finished":
        history.finished = True
    elif kind == "labels":
        history.labels[line["stage"]] = line
    elif kind == "measurement":
        history.rounds[line["stage"]] = line
    elif kind == "stage_started":
        history.started.add(line["stage"])
    elif kind == "stage_finished":
        history.stages[line["stage"]] = line
    elif kind == "checkpoint":
        history.checkpoints[line["stage"]] = line


def _key(raw: bytes, where: str) -> EvaluationKey:
    of = _place.decode(raw, where)
    return of.name, of.heldout, of.stage, of.step


def _whole_sample(raw: bytes, where: str) -> Line:
    line = whole("sample", raw, where)
    sample = _sample.decode(raw, where)
    return {**line, "rollout": sample.rollout, "verdict": sample.verdict}


#: Facts of a run that may not change while it goes on.
FACTS: Final = ("recipe", "data_sha", "heldout_sha", "labels_sha", "model", "verifiers", "code", "stream")


def check_unchanged(
    opened: Line, now: dict[str, Any], where: str, *, facts: Sequence[str] = FACTS, hint: str = ""
) -> None:
    """Raise when a run would go on with another recipe, data, model, verifier or plugin, naming what differs.

    Raises:
        LedgerError: with one line a difference.
    """
    differences = []
    for name in facts:
        differences += _differences(opened.get(name), now[name], name)
    if differences:
        shown = "\n".join(f"  {line}" for line in differences[:12])
        more = f"\n  and {len(differences) - 12} more" if len(differences) > 12 else ""
        raise LedgerError(
            f"this run was started with something else:\n{shown}{more}", where=where,
            hint=hint or "put it back as it was, or start a new run",
        )  # fmt: skip


def _differences(old: Any, new: Any, path: str) -> list[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        return [d for key in keys for d in _differences(old.get(key), new.get(key), f"{path}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            d
            for i, (a, b) in enumerate(zip(old, new, strict=True))
            for d in _differences(a, b, f"{path}.{i}")
        ]
    return [] if old == new else [f"{path}: was {old!r}, is {new!r}"]
