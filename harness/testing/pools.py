"""A pool in memory, for tests of curricula."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from harness.contract.records import Difficulty, Message, PolicyRef, Task


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
