"""Recorded answers that could not be judged, as when a sandbox was gone: they are judged once more from the
ledger, and nothing is generated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from harness.benchmarking.lines import StoredSample, raw_samples
from harness.benchmarking.problems import ProblemSet
from harness.contract.records import Task
from harness.evaluating.recording import Recorder
from harness.recording.shapes import LineDecoder
from harness.scoring import Scorer

#: Samples judged again at a time.
CHUNK: Final = 512


def unjudged(recorder: Recorder) -> int:
    """Answers that are there and have no judgement."""
    return sum(t.failed.bit_count() for part in recorder.tallies.values() for t in part.values())


def judge_again(sets: Sequence[ProblemSet], recorder: Recorder, ledger: Path, scorer: Scorer) -> None:
    """Judge them once more; what is judged then has a second `sample` line."""
    tasks = {(problems.name, task.id): task for problems in sets for task in problems.tasks}
    decoder = LineDecoder(StoredSample)
    batch: list[tuple[Task, StoredSample]] = []
    for raw in raw_samples(ledger):
        line = decoder.decode(raw)
        if _wanted(line, tasks, recorder):
            batch.append((tasks[line.heldout, line.rollout.key.task], line))
        if len(batch) >= CHUNK:
            _judge_batch(batch, recorder, scorer)
            batch = []
    _judge_batch(batch, recorder, scorer)
    recorder.ledger.commit()


def _wanted(line: StoredSample, tasks: Mapping[tuple[str, str], Task], recorder: Recorder) -> bool:
    key = line.rollout.key
    tally = recorder.tallies.get(line.heldout, {}).get(key.task)
    return (line.heldout, key.task) in tasks and tally is not None and bool(tally.failed >> key.sample & 1)


def _judge_batch(batch: Sequence[tuple[Task, StoredSample]], recorder: Recorder, scorer: Scorer) -> None:
    verdicts = scorer.score_many([(task, line.rollout) for task, line in batch])
    rows = []
    for (task, line), verdict in zip(batch, verdicts, strict=True):
        tail = recorder.count(task, line.rollout, verdict, line.tokens)
        if verdict.judged:
            rows.append(
                {**recorder.place.fields(line.heldout), "rollout": line.rollout, "verdict": verdict,
                 "tokens": line.tokens, "prompt_tokens": line.prompt_tokens, "tail": tail}
            )  # fmt: skip
    recorder.ledger.append_many("sample", rows)
