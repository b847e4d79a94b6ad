"""From streamed samples to ledger lines and tallies; from complete tallies to scores."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, overload

import msgspec

from harness.benchmarking.lines import Tallies, raw_samples
from harness.benchmarking.problems import ProblemSet
from harness.benchmarking.scores import scored, strata
from harness.benchmarking.tail import gold_in_tail
from harness.benchmarking.tally import Tally
from harness.errors import EngineError, counted
from harness.generation import Sample
from harness.ledger import Ledger
from harness.records import (
    Request,
    Rollout,
    RolloutKey,
    Task,
    Verdict,
    unjudged,
)
from harness.scoring import Scorer
from harness.spending import Spent

#: The `name` of every evaluation line here: the model is not in training, so each is its last.
NAME: Final = "final"
#: Seconds between two syncs to disk; lines survive the process at once.
COMMIT_SECONDS: Final = 1.0
#: Seconds between two lines about progress.
SAY_SECONDS: Final = 10.0
#: Samples judged again at a time.
CHUNK: Final = 512


class Work(Sequence[Request]):
    """The requests for what is missing, made when they are asked for: 12 bytes each.

    The samples of a problem come one after the other, so that engines can share its prompt.
    """

    def __init__(self, sets: Sequence[ProblemSet], tallies: Tallies, stream: str) -> None:
        self._sets, self._stream = sets, stream
        self._places = array("I")
        for s, problems in enumerate(sets):
            known = tallies.get(problems.name, {})
            for t, task in enumerate(problems.tasks):
                tally = known.get(task.id) or Tally()
                for sample in tally.missing(problems.samples):
                    self._places.extend((s, t, sample))

    def __len__(self) -> int:
        return len(self._places) // 3

    @overload
    def __getitem__(self, at: int) -> Request: ...
    @overload
    def __getitem__(self, at: slice) -> list[Request]: ...
    def __getitem__(self, at: int | slice) -> Request | list[Request]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        s, t, sample = self._places[3 * (at % len(self)) : 3 * (at % len(self)) + 3]
        problems = self._sets[s]
        task = problems.tasks[t]
        key = RolloutKey(self._stream, "eval", problems.name, 0, task.id, sample)
        return Request(key, task.prompt, problems.sampling)

    def __iter__(self) -> Iterator[Request]:
        return (self[i] for i in range(len(self)))


class Recorder:
    """Writes samples as they come and keeps the tallies of one judgement."""

    def __init__(
        self, sets: Sequence[ProblemSet], tallies: Tallies, ledger: Ledger, token_ids: bool = False
    ) -> None:
        self.tallies, self.ledger, self._token_ids = tallies, ledger, token_ids
        self._sets = {problems.name: problems for problems in sets}
        self._tasks = {(p.name, task.id): task for p in sets for task in p.tasks}
        #: Bits of samples that the engine answered now.
        self._claimed: dict[tuple[str, str], int] = {}
        #: Samples received now.
        self.received = 0
        #: Told of samples that could not be judged or generated.
        self.failed: Callable[[Rollout, Verdict], object] = lambda rollout, verdict: None
        self._committed = self._said = time.monotonic()
        self._expected = 0
        self._say: Callable[[str], None] = lambda line: None

    def expect(self, samples: int, say: Callable[[str], None]) -> None:
        """Tell of progress towards so many samples."""
        self._expected, self._say = samples, say

    def claim(self, key: RolloutKey) -> Task:
        """The task of an answered key; raises EngineError for one not asked or answered twice."""
        place = (key.stage, key.task)
        task, bit = self._tasks.get(place), 1 << key.sample
        problems = self._sets.get(key.stage)
        known = self._claimed.get(place, 0)
        tally = self.tallies.get(key.stage, {}).get(key.task)
        there = known | (tally.judged | tally.failed if tally and not known else 0)
        if task is None or problems is None or key.sample >= problems.samples or there & bit:
            raise EngineError(f"the engine answered {key}, which was not asked or was answered twice")
        self._claimed[place] = known | bit
        return task

    def receive(self, samples: Sequence[Sample]) -> None:
        """Record a batch: one write, and a sync to disk now and then."""
        self.ledger.append_many("sample", [self._line(*sample) for sample in samples])
        self.received += len(samples)
        clock = time.monotonic()
        if clock - self._committed > COMMIT_SECONDS:
            self.ledger.commit()
            self._committed = clock
        if clock - self._said > SAY_SECONDS and self._expected:
            self._say(f"{self.received} of {self._expected} samples")
            self._said = clock

    def _line(self, task: Task, rollout: Rollout, verdict: Verdict) -> dict[str, Any]:
        tokens = rollout.tokens
        tail = self.count(task, rollout, verdict, tokens)
        line = {
            "name": NAME, "heldout": rollout.key.stage, "stage": "", "step": 0, "rollout": rollout,
            "verdict": verdict, "tokens": tokens, "prompt_tokens": len(rollout.prompt_ids), "tail": tail,
        }  # fmt: skip
        if not self._token_ids:
            line["rollout"] = _without_ids(rollout)
        return line

    def count(self, task: Task, rollout: Rollout, verdict: Verdict, tokens: int) -> bool:
        """Add one judged sample to its tally; returns whether its tail holds the gold unrewarded."""
        tail = verdict.status != "pass" and gold_in_tail(task.answer, rollout.text)
        tally = self.tallies.setdefault(rollout.key.stage, {}).setdefault(rollout.key.task, Tally())
        tally.add(
            rollout.key.sample, status=verdict.status, score=verdict.score, extracted=verdict.extracted,
            finish=rollout.finish, tokens=tokens, tail=tail,
        )  # fmt: skip
        if unjudged(rollout, verdict):
            self.failed(rollout, verdict)
        return tail

    # What could not be judged --------------------------------------------------------------------

    def unjudged(self) -> int:
        """Answers that are there and have no judgement."""
        return sum(t.failed.bit_count() for part in self.tallies.values() for t in part.values())

    def judge_again(self, ledger: Path, scorer: Scorer) -> None:
        """Judge those once more, from the ledger; nothing is generated."""
        decoder = msgspec.json.Decoder(StoredSample)
        batch: list[tuple[Task, StoredSample]] = []
        for raw in raw_samples(ledger):
            line = decoder.decode(raw)
            key = line.rollout.key
            tally = self.tallies.get(line.heldout, {}).get(key.task)
            task = self._tasks.get((line.heldout, key.task))
            if task is not None and tally is not None and tally.failed >> key.sample & 1:
                batch.append((task, line))
            if len(batch) >= CHUNK:
                self._judge_batch(batch, scorer)
                batch = []
        self._judge_batch(batch, scorer)
        self.ledger.commit()

    def _judge_batch(self, batch: Sequence[tuple[Task, StoredSample]], scorer: Scorer) -> None:
        verdicts = scorer.score_many([(task, line.rollout) for task, line in batch])
        rows = []
        for (task, line), verdict in zip(batch, verdicts, strict=True):
            tail = self.count(task, line.rollout, verdict, line.tokens)
            if verdict.status != "infra_error":
                rows.append(
                    {"name": NAME, "heldout": line.heldout, "stage": "", "step": 0, "rollout": line.rollout,
                     "verdict": verdict, "tokens": line.tokens, "prompt_tokens": line.prompt_tokens,
                     "tail": tail}
                )  # fmt: skip
        self.ledger.append_many("sample", rows)

    # Scores --------------------------------------------------------------------------------------

    def refusal(self, problems: ProblemSet) -> str:
        """Why a benchmark has no score; empty when it has one."""
        return refusal(problems.tasks, self.tallies.get(problems.name, {}), problems.samples)

    def evaluated(
        self, problems: ProblemSet, before: Mapping[str, Any] | None, facts: Mapping[str, Any],
        cpu_seconds: float, **more: Any,
    ) -> dict[str, float]:  # fmt: skip
        """Write the scores of a complete benchmark, unless the ledger has just these; returns them."""
        tallies = self.tallies[problems.name]
        scores = scored(problems.tasks, tallies).numbers()
        counts = {task.id: tallies[task.id].counts() for task in problems.tasks}
        if before is None or before.get("problems") != counts:
            self.ledger.append(
                "evaluation", name=NAME, heldout=problems.name, stage="", step=0, scores=scores,
                strata=strata(problems.tasks, tallies), problems=counts, facts=facts,
                cpu_seconds=cpu_seconds, **Spent().fields(), **more,
            )  # fmt: skip
            self.ledger.commit()
        return scores


class StoredSample(msgspec.Struct):
    """An answer as the ledger holds it, with its text."""

    heldout: str
    rollout: Rollout
    tokens: int = 0
    prompt_tokens: int = 0


def refusal(tasks: Sequence[Task], tallies: Mapping[str, Tally], samples: int) -> str:
    """Why these problems have no score at `samples` each; empty when they have one."""
    counts = [(task.id, tallies.get(task.id) or Tally()) for task in tasks]
    absent = {name: len(t.missing(samples)) for name, t in counts}
    missing = sum(absent.values())
    failed = sum(t.failed.bit_count() for _, t in counts)
    reasons = []
    if missing:
        first = next(name for name, count in absent.items() if count)
        aborted = sum(t.aborted.bit_count() for _, t in counts)
        gave_up = f", {aborted} of which the engine gave up" if aborted else ""
        reasons.append(f"{missing} of {samples * len(tasks)} samples are missing{gave_up} (first: {first!r})")
    if failed:
        first = next(name for name, t in counts if t.failed)
        reasons.append(f"{counted(failed, 'sample')} could not be judged (first: {first!r})")
    return "; ".join(reasons)


def _without_ids(rollout: Rollout) -> Rollout:
    return Rollout(
        key=rollout.key, prompt_ids=(), completion_ids=(), text=rollout.text, finish=rollout.finish,
        policy=rollout.policy, sampling=rollout.sampling, seconds=rollout.seconds,
        completion_tokens=rollout.tokens, reason=rollout.reason,
    )  # fmt: skip
