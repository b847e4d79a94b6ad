"""From streamed samples to ledger lines and tallies; from complete tallies to scores, or the reason why there
are none."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, overload

import msgspec

from harness.contract.errors import EngineError
from harness.contract.records import (
    Request,
    Rollout,
    RolloutKey,
    Task,
    Verdict,
)
from harness.evaluating.scores import scored, strata
from harness.evaluating.sets import ALONE, EvaluationSet, Place
from harness.evaluating.tail import gold_in_tail
from harness.recording.ledger import Ledger, Line
from harness.recording.spending import Spent
from harness.scoring.generation import Judgement
from harness.statistics.tally import Tallies, Tally

#: The `name` of every evaluation line of a benchmark: the model is not in training, so each is its last.
NAME: Final = ALONE.name
#: Seconds between two syncs to disk; lines survive the process at once.
COMMIT_SECONDS: Final = 1.0
#: Seconds between two lines about progress.
SAY_SECONDS: Final = 10.0


class Work(Sequence[Request]):
    """The requests for what is missing, made when they are asked for: 12 bytes each.

    The samples of a problem come one after the other, so that engines can share its prompt.

    Args:
        token_ids: whether samples are written with their token ids and what belongs to these.
    """

    def __init__(
        self,
        sets: Sequence[EvaluationSet],
        tallies: Tallies,
        stream: str,
        place: Place = ALONE,
        *,
        token_ids: bool = True,
    ) -> None:
        self._sets, self._stream, self._place, self._token_ids = sets, stream, place, token_ids
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
        place = self._place
        stage = place.key_stage(problems.name)
        key = RolloutKey(self._stream, "eval", stage, place.step, task.id, sample)
        return Request(key, task.prompt, problems.sampling, logprobs=self._token_ids)

    def __iter__(self) -> Iterator[Request]:
        return (self[i] for i in range(len(self)))


class Recorder:
    """Writes samples as they come and keeps the tallies of one judgement.

    Args:
        sets: what is evaluated.
        tallies: what is there already; extended in place.
        ledger: where samples are written.
        token_ids: whether samples are written with their token ids.
        place: where the evaluation stands.
        keep: whether samples are written at all.
        paid: what the engine told of the costs of the samples that are there already, by set.
    """

    def __init__(
        self,
        sets: Sequence[EvaluationSet],
        tallies: Tallies,
        ledger: Ledger,
        token_ids: bool = False,
        *,
        place: Place = ALONE,
        keep: bool = True,
        paid: dict[str, Spent] | None = None,
    ) -> None:
        self.tallies, self.ledger, self.place = tallies, ledger, place
        self._token_ids, self._keep = token_ids, keep
        #: By the stage in their samples' keys.
        self._sets = {place.key_stage(problems.name): problems for problems in sets}
        self._tasks = {(stage, task.id): task for stage, p in self._sets.items() for task in p.tasks}
        #: Bits of samples that the engine answered now.
        self._claimed: dict[tuple[str, str], int] = {}
        #: What the engine told of its costs, by set; extended in place.
        self.paid = {} if paid is None else paid
        #: Samples received now.
        self.received = 0
        #: Told of samples that could not be judged or generated.
        self.failed: Callable[[Rollout, Verdict], object] = lambda rollout, verdict: None
        #: How the votes of maj@k are compared, by the name of a task's verifier; others count as written.
        self.same: Mapping[str, Callable[[str, str], bool]] = {}
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
        tally = self.tallies.get(problems.name, {}).get(key.task) if problems else None
        there = known | (tally.judged | tally.failed if tally and not known else 0)
        if task is None or problems is None or key.sample >= problems.samples or there & bit:
            raise EngineError(f"the engine answered {key}, which was not asked or was answered twice")
        self._claimed[place] = known | bit
        return task

    def receive(self, samples: Sequence[Judgement]) -> None:
        """Record a batch: one write, and a sync to disk now and then."""
        lines = [self._line(*sample) for sample in samples]
        if self._keep:
            self.ledger.append_many("sample", lines)
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
        name = self._sets[rollout.key.stage].name
        self.paid.setdefault(name, Spent()).pay(rollout.cost, rollout.source)
        line = {
            **self.place.fields(name), "rollout": rollout,
            "verdict": verdict, "tokens": tokens, "prompt_tokens": len(rollout.prompt_ids), "tail": tail,
        }  # fmt: skip
        if not self._token_ids:
            line["rollout"] = _without_ids(rollout)
        return line

    def count(self, task: Task, rollout: Rollout, verdict: Verdict, tokens: int) -> bool:
        """Add one judged sample to its tally; returns whether its tail holds the gold unrewarded."""
        tail = verdict.status != "pass" and gold_in_tail(task.answer, rollout.text)
        name = self._sets[rollout.key.stage].name
        tally = self.tallies.setdefault(name, {}).setdefault(rollout.key.task, Tally())
        tally.add(
            rollout.key.sample, status=verdict.status, score=verdict.score, extracted=verdict.extracted,
            finish=rollout.finish, tokens=tokens, tail=tail, reason=verdict.reason,
        )  # fmt: skip
        if not verdict.judged:
            self.failed(rollout, verdict)
        return tail

    # Scores --------------------------------------------------------------------------------------

    def refusal(self, problems: EvaluationSet) -> str:
        """Why a set has no score; empty if it has one."""
        names = [task.id for task in problems.tasks]
        return refusal(self.tallies.get(problems.name, {}), problems.samples, len(names), names)

    def evaluation(self, problems: EvaluationSet) -> Line:
        """A set's `evaluation` line: scores, or `refused` and no scores; the counts in either case."""
        known = self.tallies.get(problems.name, {})
        tallies = {task.id: known.get(task.id) or Tally() for task in problems.tasks}
        answers = {name: tally.fingerprint() for name, tally in tallies.items()}
        for task in problems.tasks:
            if (same := self.same.get(task.verifier)) is not None:
                tallies[task.id].unite(same)
        reason = self.refusal(problems)
        return {
            **self.place.fields(problems.name),
            "scores": {} if reason else scored(problems.tasks, tallies).numbers(),
            **({"refused": reason} if reason else {}),
            "strata": strata(problems.strata(), tallies),
            "problems": {name: tally.counts() for name, tally in tallies.items()},
            "answers": answers,
        }

    def evaluated(
        self, problems: EvaluationSet, before: Mapping[str, Any] | None, facts: Mapping[str, Any],
        cpu_seconds: float, earlier: Mapping[str, Any] | None = None, **more: Any,
    ) -> dict[str, float]:  # fmt: skip
        """Write the scores of a complete benchmark, unless the ledger has just these; returns them.

        Args:
            before: the line of these scores that the ledger has, if any.
            facts: what the scores rest on.
            cpu_seconds: this process's CPU time for all benchmarks; each is charged by its samples.
            earlier: the line whose CPU time was spent before, if it is not `before`.
            more: further fields of the line.
        """
        line = self.evaluation(problems)
        if before is None or any(
            before.get(part) != msgspec.to_builtins(line[part]) for part in ("problems", "answers")
        ):
            spent = self.spent(problems, cpu_seconds, before or earlier)
            self.ledger.append(
                "evaluation", **line, facts=facts, cpu_seconds=cpu_seconds, **spent.as_fields(), **more
            )
            self.ledger.commit()
        scores: dict[str, float] = line["scores"]
        return scores

    def spent(
        self, problems: EvaluationSet, cpu_seconds: float, before: Mapping[str, Any] | None = None
    ) -> Spent:
        """What a benchmark's answers cost: its samples, their tokens, its share of the CPU time, and what the
        engine told besides."""
        counts = {
            name: sum(tally.samples for tally in tallies.values()) for name, tallies in self.tallies.items()
        }
        rollouts = counts[problems.name]
        share = rollouts / (sum(counts.values()) or 1)
        tokens = sum(tally.tokens for tally in self.tallies[problems.name].values())
        already = float((before or {}).get("spent_cpu_seconds", 0.0))
        paid = self.paid.get(problems.name, Spent())
        return replace(
            paid,
            rollouts=rollouts,
            tokens=tokens + paid.unreturned,
            cpu_seconds=already + share * cpu_seconds,
        )


def refusal(tallies: Mapping[str, Tally], samples: int, problems: int, names: Sequence[str] = ()) -> str:
    """Why there is no score; empty if there is one. A mean over the samples that happen to be there would
    say something about us and not about the model.

    Args:
        tallies: problem -> tally; problems without a sample may be absent.
        samples: wanted of each problem.
        problems: how many there are.
        names: of all problems, in order, if they are known; the reason then names the first one concerned.
    """
    if names:
        tallies = {name: tallies[name] for name in names if name in tallies}
    wanted = samples * problems
    missing = wanted - sum(samples - len(tally.missing(samples)) for tally in tallies.values())
    failed = sum(tally.failed.bit_count() for tally in tallies.values())
    reasons = []
    if missing:
        aborted = sum(tally.aborted.bit_count() for tally in tallies.values())
        gave_up = f", {aborted} of which the engine gave up" if aborted else ""
        first = next((n for n in names if n not in tallies or tallies[n].missing(samples)), None)
        reasons.append(f"{missing} of {wanted} samples are missing{gave_up}{_first(first)}")
    if failed:
        first = next((n for n in names if n in tallies and tallies[n].failed), None)
        reasons.append(f"{failed} of {wanted} samples could not be judged{_first(first)}")
    return "; ".join(reasons)


def _first(name: str | None) -> str:
    return "" if name is None else f" (first: {name!r})"


def _without_ids(rollout: Rollout) -> Rollout:
    return Rollout(
        key=rollout.key, prompt_ids=(), completion_ids=(), text=rollout.text, finish=rollout.finish,
        policy=rollout.policy, sampling=rollout.sampling, seconds=rollout.seconds,
        completion_tokens=rollout.tokens, reason=rollout.reason, source=rollout.source, cost=rollout.cost,
    )  # fmt: skip
