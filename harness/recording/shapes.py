"""What lines of a ledger hold, by type: readers rest on these fields, and a line without them is refused.

A line that is JSON may still be another's, or have been edited. Its fields are checked here, once, so that no
reader has to doubt them. Types that are not named here, and fields that are not, are nobody's to check.
"""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

import msgspec

from harness.contract.errors import UNPARSABLE, LedgerError
from harness.contract.records import Checkpoint, Difficulty, StepMetrics
from harness.statistics.tally import Counts

T = TypeVar("T")


class LineDecoder(Generic[T]):
    """Decodes whole lines into the fields that a reader wants of them."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)

    def decode(self, raw: bytes, where: str = "") -> T:
        """The line's fields; raises LedgerError naming the one that does not fit."""
        try:
            return self._decoder.decode(raw)
        except UNPARSABLE as error:
            raise unfitting(raw, error, where) from None


def unfitting(raw: bytes, error: Exception, where: str) -> LedgerError:
    """The error of a line whose fields are not those of its type."""
    return LedgerError(
        f"a line does not fit: {error}; it begins {raw[:80]!r}", where=where,
        hint="restore the file from a copy; nothing was changed",
    )  # fmt: skip


class _Spending(msgspec.Struct, kw_only=True):
    spent_rollouts: int = 0
    spent_tokens: int = 0
    spent_cpu_seconds: float = 0.0
    spent_usd: float = 0.0
    spent_unreturned: int = 0
    spent_sources: dict[str, int] = {}


class _Model(msgspec.Struct, kw_only=True, frozen=True):
    name: str = "?"
    weights_sha: str = ""
    context_length: int | None = None


class _Opened(_Spending, kw_only=True):
    run: dict[str, Any] = {}
    seed: int = 0
    model: _Model = _Model()
    verifiers: dict[str, str] = {}


class _Of(_Spending, kw_only=True):
    """A line about a stage."""

    stage: str


class _Labels(_Of, kw_only=True):
    labels: list[Difficulty]
    rollouts: int = 0
    tokens: int = 0
    cpu_seconds: float = 0.0


class _StageStarted(_Of, kw_only=True):
    spent_rollouts: int
    subjects: list[str] = []
    rule: str | None = None


class _StageFinished(_Of, kw_only=True):
    reason: str = ""
    step: int = 0


class _Checkpoint(_Of, kw_only=True):
    checkpoint: Checkpoint


class _Step(_Spending, kw_only=True):
    metrics: StepMetrics


class _Evaluation(_Spending, kw_only=True):
    name: str
    heldout: str
    stage: str = ""
    step: int = 0
    refused: str = ""
    scores: dict[str, Any] = {}
    problems: dict[str, Counts] = {}
    strata: dict[str, Counts] = {}
    facts: dict[str, Any] = {}
    answers: dict[str, str] = {}
    cpu_seconds: float = 0.0
    scoring: int = 0


class _Scoring(msgspec.Struct, kw_only=True):
    scoring: int
    verifiers: dict[str, str] = {}


class _Adaptive(msgspec.Struct, kw_only=True):
    heldout: str


_SHAPES: Final[dict[str, LineDecoder[Any]]] = {
    kind: LineDecoder(shape)
    for kind, shape in {
        "opened": _Opened, "labels": _Labels, "measurement": _Of, "stage_started": _StageStarted,
        "stage_finished": _StageFinished, "checkpoint": _Checkpoint, "step": _Step, "evaluation": _Evaluation,
        "finished": _Spending, "scoring": _Scoring, "round": _Adaptive, "placement": _Adaptive,
    }.items()
}  # fmt: skip
_LINE: Final = LineDecoder(dict[str, Any])


def whole(kind: str, raw: bytes, where: str = "") -> dict[str, Any]:
    """A line of this type as it stands; raises LedgerError if a field is missing or of another form."""
    shape = _SHAPES.get(kind)
    if shape is not None:
        shape.decode(raw, where)
    return _LINE.decode(raw, where)
