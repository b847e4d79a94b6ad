"""Judging recorded answers again: another verifier, other options, or a newer version of the same.

Nothing is generated and nothing is rewritten. A judgement is opened by a `scoring` line with its
verifiers' hashes; its `verdict` lines stand beside the samples they judge. Interrupted, it goes on where it
was when it is asked for again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from harness.benchmarking.folder import EvaluationFolder
from harness.benchmarking.lines import ORIGINAL, Contents, StoredSample, raw_samples
from harness.benchmarking.problems import ProblemSet
from harness.benchmarking.run import Outcome, Prepared, verifier_spec, workers
from harness.benchmarking.votes import comparisons
from harness.contract.errors import LedgerError
from harness.contract.records import Rollout, Task
from harness.evaluating.recording import COMMIT_SECONDS, Recorder
from harness.recipe.stage import Use
from harness.recording.ledger import Ledger
from harness.recording.shapes import LineDecoder
from harness.running.identity import now
from harness.scoring import Scorer
from harness.scoring.generation import Judgement, drain_scored

#: A change of the profile's verifier: its name, and options laid on the profile's.
Change = tuple[str | None, Mapping[str, Any]]


def judges(sets: Sequence[ProblemSet], change: Change) -> dict[str, Use]:
    """The verifier that takes the place of each of the profile's, by the old one's name."""
    name, options = change
    out = {}
    for problems in sets:
        for use in problems.verifiers:
            same = name is None or name == use.name
            out[use.name] = Use(name=name or use.name, **({**use.options, **options} if same else options))
    return out


def rescore(
    folder: EvaluationFolder, prepared: Prepared, change: Change, say: Callable[[str], None]
) -> Outcome:
    """Judge every recorded answer with other verifiers; goes on with the same judgement if it was cut.

    Raises:
        LedgerError: the evaluation is adaptive, nothing is recorded, or the problems are not those that were
        answered.
    """
    if folder.asked.adaptive:
        raise LedgerError(
            "an adaptive evaluation: its problems were chosen by the verdicts that it had, so other verdicts "
            "would be about other problems",
            where=str(folder.folder), hint="harness eval --adaptive anew, under a profile with that verifier",
        )  # fmt: skip
    with ExitStack() as stack:
        new = judges(prepared.sets, change)
        specs = {u.name: verifier_spec(u, prepared.plugins, prepared.context) for u in new.values()}
        scorer = stack.enter_context(Scorer(specs, workers=workers()))
        scorer.start()
        ledger = stack.enter_context(Ledger(folder.ledger))
        contents = Contents(folder.ledger)
        _check_problems(folder, prepared, contents)
        options = {use.name: use.options for use in new.values()}
        number = _number(contents, scorer.hashes(), options)
        if number not in contents.scorings:
            ledger.append("scoring", scoring=number, verifiers=scorer.hashes(), options=options, at=now())
        rejudging = _Rejudging(prepared, new, ledger, contents, number)
        started = time.process_time()
        say(f"judging again as scoring {number}")
        drain_scored(rejudging.waiting(folder), scorer, rejudging.receive)
        ledger.commit()
        known = comparisons(new.values(), prepared.plugins, prepared.profile.votes)
        rejudging.recorder.same = {old: known[use.name] for old, use in new.items() if use.name in known}
        refused = {}
        for problems in prepared.sets:
            reason = rejudging.recorder.refusal(problems)
            if reason:
                refused[problems.name] = reason
                continue
            hashes = scorer.hashes()
            names = {new[use.name].name for use in problems.verifiers}
            rejudging.recorder.evaluated(
                problems, contents.evaluations.get((problems.name, number)),
                problems.facts(prepared.profile) | {"verifiers": {name: hashes[name] for name in names}},
                time.process_time() - started, contents.evaluations.get((problems.name, ORIGINAL)),
                scoring=number,
            )  # fmt: skip
        if not refused:
            ledger.append("finished", at=now())
        return Outcome(folder.folder, rejudging.received, refused)


def _check_problems(folder: EvaluationFolder, prepared: Prepared, contents: Contents) -> None:
    if not contents.opened:
        raise LedgerError("nothing has been recorded yet", where=str(folder.folder))
    for problems in prepared.sets:
        known = contents.opened["profile"].get(problems.name, {}).get("data_sha")
        if known != problems.sha:
            raise LedgerError(
                f"the problems of {problems.name!r} are not those that were answered "
                f"(hash {problems.sha}, recorded {known})",
                where=str(folder.folder),
                hint="put HARNESS_DATA back as it was",
            )


def _number(contents: Contents, hashes: Mapping[str, str], options: Mapping[str, Any]) -> int:
    """The number of this judgement: the last one's, when that was of the same verifiers."""
    latest = contents.latest
    line = contents.scorings.get(latest)
    if line is not None and line["verifiers"] == dict(hashes) and line["options"] == dict(options):
        return latest
    return latest + 1


class _Rejudging:
    """One judgement's state."""

    def __init__(
        self, prepared: Prepared, new: Mapping[str, Use], ledger: Ledger, contents: Contents, number: int
    ) -> None:
        tallies = contents.tallies.setdefault(number, {})
        self.recorder = Recorder(prepared.sets, tallies, ledger, paid=contents.paid)
        self._ledger, self._number = ledger, number
        self._tasks: dict[tuple[str, str], Task] = {
            (p.name, task.id): replace(task, verifier=new[task.verifier].name)
            for p in prepared.sets
            for task in p.tasks
        }
        #: Tokens of the samples under way; their ids may not be in the ledger.
        self._tokens: dict[tuple[str, str, int], int] = {}
        self._committed = time.monotonic()
        self.received = 0

    def waiting(self, folder: EvaluationFolder) -> Iterator[tuple[Task, Rollout]]:
        """The answers that this judgement has not judged; later lines of a sample replace earlier ones."""
        decoder = LineDecoder(StoredSample)
        for raw in raw_samples(folder.ledger):
            line = decoder.decode(raw)
            key = line.rollout.key
            task = self._tasks.get((line.heldout, key.task))
            if task is None or line.rollout.finish == "abort":
                continue
            tally = self.recorder.tallies.get(line.heldout, {}).get(key.task)
            place = (key.stage, key.task, key.sample)
            if place in self._tokens or (tally is not None and tally.judged >> key.sample & 1):
                continue
            self._tokens[place] = line.tokens
            yield task, line.rollout

    def receive(self, samples: Sequence[Judgement]) -> None:
        rows = []
        for task, rollout, verdict in samples:
            key = rollout.key
            tokens = self._tokens.pop((key.stage, key.task, key.sample))
            tail = self.recorder.count(task, rollout, verdict, tokens)
            rows.append(
                {"scoring": self._number, "heldout": key.stage, "task": key.task, "sample": key.sample,
                 "finish": rollout.finish, "tokens": tokens, "tail": tail, "verdict": verdict}
            )  # fmt: skip
        self._ledger.append_many("verdict", rows)
        self.received += len(rows)
        if time.monotonic() - self._committed > COMMIT_SECONDS:
            self._ledger.commit()
            self._committed = time.monotonic()
