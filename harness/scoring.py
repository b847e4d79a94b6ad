"""Streaming verification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.records import Rollout, Task, Verdict


class Scorer:
    """Judges rollouts by the verifiers that their tasks name."""

    def __init__(self, verifiers: dict[str, Any]) -> None:
        self._verifiers = verifiers
        for verifier in verifiers.values():
            verifier.open()

    def score_many(self, pairs: Sequence[tuple[Task, Rollout]]) -> list[Verdict]:
        return [self._verifiers[task.verifier].verify(task, rollout) for task, rollout in pairs]

    async def score(self, task: Task, rollout: Rollout) -> Verdict:
        return self._verifiers[task.verifier].verify(task, rollout)

    def close(self) -> None:
        for verifier in self._verifiers.values():
            verifier.close()
