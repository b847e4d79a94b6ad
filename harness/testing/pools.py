"""A pool in memory, and groups to observe, for tests of curricula."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from harness.records import Difficulty, Group, Message, PolicyRef, Status, Task


class MemoryPool:
    """Subjects with measured pass rates; tasks are made on the spot (protocol `Pool`).

    Args:
        rates: pass rates by subject.
        endless: whether a subject gives a fresh task each time, as a stratum does, or always its one.
        samples: rollouts behind each label.
    """

    def __init__(self, rates: Mapping[str, float], *, endless: bool = True, samples: int = 100) -> None:
        self.subjects: Sequence[str] = list(rates)
        self.labels: Mapping[str, Difficulty] = {
            subject: Difficulty(
                subject=subject, model="policy", policy=PolicyRef(weights_sha="0"), samples=samples,
                passes=round(rate * samples),
            )
            for subject, rate in rates.items()
        }  # fmt: skip
        self._endless, self._drawn = endless, Counter[str]()

    def draw(self, subject: str) -> Task:
        self._drawn[subject] += 1
        index = self._drawn[subject] if self._endless else 0
        return Task(
            id=f"{subject}#{index}" if self._endless else subject,
            prompt=(Message("user", f"{subject} {index}"),),
            verifier="exact",
            answer="",
            stratum=subject if self._endless else None,
        )


def group_of(subject: str, passes: int, size: int = 8, *, step: int = 1, lost: int = 0) -> Group:
    """A scored group with so many passes, and `lost` infrastructure errors among its fails."""
    kinds: tuple[tuple[Status, int], ...] = (
        ("pass", passes), ("fail", size - passes - lost), ("infra_error", lost),
    )  # fmt: skip
    statuses = [status for status, count in kinds for _ in range(count)]
    scores = tuple(None if status == "infra_error" else float(status == "pass") for status in statuses)
    return Group(
        task=f"{subject}#0", subject=subject, step=step, rollouts=None, statuses=tuple(statuses),
        scores=scores, rewards=scores, lengths=(5,) * size, truncated=(False,) * size,
    )  # fmt: skip
