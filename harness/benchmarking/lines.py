"""What a ledger holds of an evaluation, read as a stream.

`sample {name, heldout, stage, step, rollout, verdict, tokens, prompt_tokens, tail}`: an answer with its first
judgement. `scoring {scoring, verifiers, ...}` opens a later judgement of the same answers, whose `verdict
{scoring, heldout, task, sample, tail, verdict}` lines stand beside the originals. `evaluation` lines carry
the scores that were complete. An adaptive evaluation has `round {heldout, round, asked, estimator}` lines,
each before its samples, and `placement {heldout, scores, adaptive, facts}` in the place of scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.contract.records import Cost, Rollout
from harness.recording.ledger import read_raw
from harness.recording.outline import Outline
from harness.recording.shapes import LineDecoder, whole
from harness.recording.spending import Spent
from harness.statistics.tally import Tallies, Tally

#: The number of the first judgement, made while generating.
ORIGINAL: Final = 0


class KeyPart(msgspec.Struct):
    task: str
    sample: int
    #: The benchmark.
    stage: str = ""


class RolloutPart(msgspec.Struct):
    key: KeyPart
    finish: str
    source: str = ""
    cost: Cost = Cost()


class VerdictPart(msgspec.Struct):
    status: str
    score: float | None = None
    extracted: str | None = None
    reason: str = ""
    verifier: str = ""
    verifier_hash: str = ""


class SampleLine(msgspec.Struct):
    """An answer, without its text."""

    heldout: str
    rollout: RolloutPart
    verdict: VerdictPart
    tokens: int = 0
    tail: bool = False


class VerdictLine(msgspec.Struct):
    """A later judgement of one answer."""

    scoring: int
    heldout: str
    task: str
    sample: int
    finish: str
    tokens: int
    verdict: VerdictPart
    tail: bool = False


class StoredSample(msgspec.Struct):
    """An answer as the ledger holds it, with its text."""

    heldout: str
    rollout: Rollout
    tokens: int = 0
    prompt_tokens: int = 0


_sample = LineDecoder(SampleLine)
_verdict = LineDecoder(VerdictLine)


class Contents:
    """What an evaluation's ledger holds, in space that does not grow with its samples' texts.

    Raises:
        LedgerError: the ledger is damaged before its last line.
    """

    def __init__(self, path: Path) -> None:
        self._where = str(path)
        self.opened: dict[str, Any] = {}
        self.finished = False
        #: Number of a judgement -> its `scoring` line; the original one has none.
        self.scorings: dict[int, dict[str, Any]] = {}
        self.tallies: dict[int, Tallies] = {ORIGINAL: {}}
        #: (benchmark, judgement) -> the last complete scores.
        self.evaluations: dict[tuple[str, int], dict[str, Any]] = {}
        #: Benchmark -> what the engine told of its samples' costs.
        self.paid: dict[str, Spent] = {}
        #: The last round and the placement of an adaptive evaluation, by benchmark.
        self.rounds: dict[str, dict[str, Any]] = {}
        self.placements: dict[str, dict[str, Any]] = {}
        for kind, raw in Outline(path).read() if path.exists() else ():
            self._take(kind, raw)

    def _take(self, kind: str, raw: bytes) -> None:
        if kind == "sample":
            line = _sample.decode(raw, self._where)
            key, verdict = line.rollout.key, line.verdict
            self.paid.setdefault(line.heldout, Spent()).pay(line.rollout.cost, line.rollout.source)
            self.tally(ORIGINAL, line.heldout, key.task).add(
                key.sample, status=verdict.status, score=verdict.score, extracted=verdict.extracted,
                finish=line.rollout.finish, tokens=line.tokens, tail=line.tail, reason=verdict.reason,
            )  # fmt: skip
        elif kind == "verdict":
            later = _verdict.decode(raw, self._where)
            self.tally(later.scoring, later.heldout, later.task).add(
                later.sample, status=later.verdict.status, score=later.verdict.score,
                extracted=later.verdict.extracted, finish=later.finish, tokens=later.tokens, tail=later.tail,
                reason=later.verdict.reason,
            )  # fmt: skip
        elif kind in ("opened", "scoring", "evaluation", "round", "placement", "finished"):
            self._take_rare(kind, whole(kind, raw, self._where))

    def _take_rare(self, kind: str, line: dict[str, Any]) -> None:
        if kind == "opened":
            self.opened = line
        elif kind == "scoring":
            self.scorings[line["scoring"]] = line
        elif kind == "evaluation":
            self.evaluations[line["heldout"], line.get("scoring", ORIGINAL)] = line
        elif kind == "round":
            self.rounds[line["heldout"]] = line
        elif kind == "placement":
            self.placements[line["heldout"]] = line
        self.finished = kind == "finished"

    def tally(self, scoring: int, benchmark: str, task: str) -> Tally:
        """The tally of one problem, made when it is first asked for."""
        return self.tallies.setdefault(scoring, {}).setdefault(benchmark, {}).setdefault(task, Tally())

    @property
    def latest(self) -> int:
        """The judgement that counts: the last one begun."""
        return max(self.scorings, default=ORIGINAL)

    def verifiers(self, scoring: int) -> Mapping[str, str]:
        """name -> hash of what judged."""
        line = self.scorings.get(scoring, self.opened)
        hashes: Mapping[str, str] = line.get("verifiers", {})
        return hashes


def raw_samples(path: Path) -> Iterator[bytes]:
    """The `sample` lines of a ledger, whole."""
    for kind, raw in read_raw(path):
        if kind == "sample":
            yield raw
