"""What came of a run: its ledger held against what was asked, the driver's notes, and the servers' logs."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from clusters.latency import Latency
from harness.recording import ledger
from harness.recording.groups import read_group


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of a run's ledger."""

    asked: int
    #: Samples without a verdict, samples that are there twice, and samples that nobody asked for.
    lost: int
    twice: int
    strange: int
    tokens: int
    #: (step, task, sample) -> status and tokens, for comparing runs.
    outcomes: Mapping[tuple[int, str, int], tuple[str, int]]
    #: Why samples have no verdict.
    reasons: tuple[str, ...]


def samples(path: Path, *, steps: int, batch: int, size: int) -> Samples:
    """The samples of a ledger; a step asks `batch` tasks for `size` samples each."""
    seen: Counter[tuple[int, str, int]] = Counter()
    outcomes: dict[tuple[int, str, int], tuple[str, int]] = {}
    reasons, tokens = set(), 0
    for line in ledger.read(path):
        if line["t"] != "group":
            continue
        group = read_group(line["group"], where=str(path))
        for sample, rollout in zip(group.samples, group.rollouts or (), strict=True):
            key = (group.step, rollout.key.task, rollout.key.sample)
            seen[key] += 1
            if not sample.judged:
                reasons.add(sample.verdict.reason)
                continue
            tokens += sample.tokens
            outcomes[key] = (sample.verdict.status, sample.tokens)
    asked = steps * batch * size
    return Samples(
        asked=asked,
        lost=asked - len(outcomes),
        twice=sum(count - 1 for count in seen.values()),
        strange=max(len(seen) - asked, 0),
        tokens=tokens,
        outcomes=outcomes,
        reasons=tuple(sorted(reasons)),
    )


@dataclass(frozen=True, slots=True)
class Notes:
    """The driver's own notes (`plugin.py`). Times are in seconds."""

    #: From the first request of each step to its update, and the part of that after the last completion.
    steps: Sequence[float]
    held_up: Sequence[float]
    #: What each job of the sandboxes waited, in order.
    waits: Sequence[float]
    #: CPU of the driver's process from the first request to the last update.
    cpu: float

    @property
    def seconds(self) -> float:
        return sum(self.steps)

    @property
    def wait_p99(self) -> float:
        return self.waits[min(int(0.99 * len(self.waits)), len(self.waits) - 1)] if self.waits else 0.0

    @property
    def wait_share(self) -> float:
        """The 99th percentile of the waits as a share of the median step."""
        return self.wait_p99 / median(self.steps)

    @property
    def held_up_share(self) -> float:
        """Share of the steps' time in which only verdicts were waited for."""
        return sum(self.held_up) / self.seconds


def notes(path: Path) -> Notes:
    """Raises ValueError if no step was finished."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    by_note: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_note.setdefault(line["note"], []).append(line)
    asked, answered, judged = (by_note.get(name, []) for name in ("asked", "answered", "judged"))
    if not judged:
        raise ValueError(f"{path}: no step was finished")
    return Notes(
        steps=[end["at"] - start["at"] for start, end in zip(asked, judged, strict=False)],
        held_up=[end["at"] - last["at"] for last, end in zip(answered, judged, strict=False)],
        waits=sorted(line["wait"] for line in by_note.get("job", [])),
        cpu=judged[-1]["cpu"] - asked[0]["cpu"],
    )


@dataclass(frozen=True, slots=True)
class Served:
    """What the servers did."""

    #: Requests that came, and answers that were given in full.
    asked: int
    given: int
    #: The most requests that one server got, over the mean of all.
    skew: float


def served(logs: Iterable[Path], servers: int) -> Served:
    asked: Counter[tuple[str, str]] = Counter()
    given = 0
    for path in logs:
        for line in path.read_text().splitlines():
            what, port, *_ = line.split()
            if what == "ask":
                asked[path.name, port] += 1
            else:
                given += 1
    total = sum(asked.values())
    return Served(total, given, max(asked.values(), default=0) * servers / max(total, 1))


def shortest(steps: Iterable[Iterable[int]], latency: Latency, slowness: Sequence[float]) -> float:
    """Seconds that servers without any fault need for steps of answers of these lengths: the slot that is
    free first takes the next answer, and a step begins when the one before is done.

    Args:
        slowness: for each server, how many times as long as the model says it takes.
    """
    slots = [slow for slow in slowness for _ in range(latency.slots)]
    total = 0.0
    for lengths in steps:
        free = [(0.0, slow) for slow in slots]
        last = 0.0
        for length in lengths:
            at, slow = heapq.heappop(free)
            at += latency.expected(length) * slow
            last = max(last, at)
            heapq.heappush(free, (at, slow))
        total += last
    return total
