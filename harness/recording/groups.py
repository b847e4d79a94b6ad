"""A group as one line of the ledger: columns with an entry per sample, and only those that say something.

Evidence is kept with it, bounded in bytes: what was extracted, why a sample failed, how many tests
passed, scores of steps, and the verifier's hash. `read_group` is the way back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from harness.contract.errors import UNPARSABLE, LedgerError
from harness.contract.records import Rollout, Span, Status, Verdict, convert
from harness.contract.samples import Group, Sample

#: How much of a group is kept: with its rollouts, with its evidence, or numbers alone.
Detail = Literal["sample", "evidence", "group"]

#: Longest extracted answer and longest reason kept, in characters, and most parts and spans per sample.
TEXT: Final = 200
PARTS: Final = 16
SPANS: Final = 64

#: The columns, and what stands for an entry of one that was not written.
DEFAULTS: Final[Mapping[str, Any]] = {
    "statuses": "fail", "scores": None, "rewards": None, "advantages": 0.0, "lengths": 0,
    "truncated": False, "replayed": False, "metrics": {}, "verifier": "", "verifier_hash": "",
    "extracted": None, "reasons": "", "parts": [], "spans": [], "tests": None, "incomplete": False,
    "seconds": 0.0, "credit": None, "rollouts": None,
}  # fmt: skip


#: A number for each sample, or none.
_Numbers = list[float | None]


class _Columns(msgspec.Struct):
    """What the columns hold, where they are there."""

    task: str
    subject: str
    step: int
    statuses: list[Status]
    index: int = 0
    known: int = 0
    scores: _Numbers | None = None
    rewards: _Numbers | None = None
    advantages: list[float] | None = None
    lengths: list[int] | None = None
    truncated: list[bool] | None = None
    replayed: list[bool] | None = None
    metrics: list[dict[str, float | None]] | None = None
    verifier: str | list[str] | None = None
    verifier_hash: str | list[str] | None = None
    extracted: list[str | None] | None = None
    reasons: list[str] | None = None
    parts: list[list[tuple[str, float]]] | None = None
    spans: list[list[tuple[int, int, float, str]]] | None = None
    tests: list[tuple[int, int, int] | None] | None = None
    incomplete: list[bool] | None = None
    seconds: list[float] | None = None
    credit: list[list[float] | None] | None = None
    rollouts: list[Any] | None = None


def group_line(group: Group, detail: Detail) -> dict[str, Any]:
    """The columns of a group."""
    samples = group.samples
    line: dict[str, Any] = {"task": group.task, "subject": group.subject, "step": group.step}
    for name, value in (("index", group.index), ("known", group.known)):
        if value:
            line[name] = value
    line |= {
        "statuses": [s.verdict.status for s in samples],
        "scores": [s.verdict.score for s in samples],
        "rewards": [s.reward for s in samples],
        "advantages": [s.advantage for s in samples],
        "lengths": [s.tokens for s in samples],
    }
    _column(line, "truncated", [s.truncated for s in samples])
    _column(line, "replayed", [s.replayed for s in samples])
    _column(line, "metrics", [s.metrics for s in samples])
    _shared(line, "verifier", [s.verdict.verifier for s in samples])
    _shared(line, "verifier_hash", [s.verdict.verifier_hash for s in samples])
    if detail == "group":
        return line
    verdicts = [s.verdict for s in samples]
    _column(line, "extracted", [None if v.extracted is None else _short(v.extracted) for v in verdicts])
    _column(line, "reasons", [_short(v.reason) for v in verdicts])
    _column(line, "parts", [list(v.parts[:PARTS]) for v in verdicts])
    _column(line, "spans", [[_span(s) for s in v.spans[:SPANS]] for v in verdicts])
    _column(line, "tests", [_tests(v) for v in verdicts])
    _column(line, "incomplete", [not v.complete for v in verdicts])
    _column(line, "seconds", [round(v.seconds, 6) for v in verdicts])
    _column(line, "credit", [s.credit for s in samples])
    if detail == "sample" and group.rollouts is not None:
        line["rollouts"] = group.rollouts
    return line


def read_group(line: Mapping[str, Any], *, where: str = "") -> Group:
    """The group of a line's columns; what was not kept has its default.

    Raises:
        LedgerError: a column has another form than it should, or another length than the others.
    """
    try:
        msgspec.convert(line, _Columns)
    except UNPARSABLE as error:
        raise LedgerError(f"a group does not fit: {error}", where=where) from None
    size = len(line["statuses"])
    rollouts = line.get("rollouts")

    def column(name: str, default: Any) -> Sequence[Any]:
        values = line.get(name)
        if values is None:
            return [default] * size
        if isinstance(values, str):
            return [values] * size
        if len(values) != size:
            raise LedgerError(f"column {name!r} has {len(values)} entries, not {size}", where=where)
        return list(values)

    columns = [column(name, default) for name, default in DEFAULTS.items()]
    samples = []
    for row in zip(*columns, strict=True):
        at = dict(zip(DEFAULTS, row, strict=True))
        run, passed, total = at["tests"] or (0, 0, 0)
        samples.append(
            Sample(
                verdict=Verdict(
                    status=at["statuses"], score=at["scores"], verifier=at["verifier"],
                    verifier_hash=at["verifier_hash"], extracted=at["extracted"], reason=at["reasons"],
                    parts=tuple((str(name), float(value)) for name, value in at["parts"]),
                    spans=tuple(Span(*span) for span in at["spans"]),
                    tests_run=run, tests_passed=passed, tests_total=total,
                    complete=not at["incomplete"], seconds=at["seconds"],
                ),
                tokens=at["lengths"],
                truncated=at["truncated"],
                rollout=None if rollouts is None else convert(at["rollouts"], Rollout, where=where),
                reward=at["rewards"],
                advantage=at["advantages"],
                credit=None if at["credit"] is None else tuple(at["credit"]),
                metrics=at["metrics"],
                replayed=at["replayed"],
            )
        )  # fmt: skip
    return Group(
        task=line["task"], subject=line["subject"], step=line["step"], samples=tuple(samples),
        index=line.get("index", 0), known=line.get("known", 0),
    )  # fmt: skip


def _column(line: dict[str, Any], name: str, values: list[Any]) -> None:
    """Keep a column in which anything but its default stands."""
    if values.count(DEFAULTS[name]) < len(values):
        line[name] = values


def _shared(line: dict[str, Any], name: str, values: list[str]) -> None:
    """Keep a text once if all samples have the same one."""
    line[name] = values[0] if len(set(values)) == 1 else values


def _short(text: str) -> str:
    return text if len(text) <= TEXT else text[: TEXT - 1] + "…"


def _span(span: Span) -> list[Any]:
    return [span.start, span.end, span.score, _short(span.label)]


def _tests(verdict: Verdict) -> list[int] | None:
    counts = [verdict.tests_run, verdict.tests_passed, verdict.tests_total]
    return counts if any(counts) else None
