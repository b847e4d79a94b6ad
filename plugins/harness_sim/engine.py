"""Engine `sim`: the simulated student's answers, one rollout at a time, as any engine gives them.

It uses temperature and max_tokens of the sampling; a student without tokens has no top_p or top_k.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from itertools import groupby

import numpy as np

from harness.contract import BuildContext, EngineError, Policy, PolicyRef, Request, Rollout, refuse_prefix
from harness_sim.items import PROMPT_TOKENS, RIGHT, WRONG, parameters
from harness_sim.student import Student, draws, group_seed, student_of

_PROMPT_IDS = tuple(range(PROMPT_TOKENS))


class SimEngine:
    """Generates for the student that it was last given (protocol `Engine`)."""

    def __init__(self, options: None = None, context: BuildContext | None = None) -> None:
        self._student: Student | None = None
        self._ref = PolicyRef(weights_sha="")

    def use(self, student: Student, ref: PolicyRef) -> None:
        """Answer as this student from now on."""
        self._student, self._ref = student, ref

    def sync_weights(self, policy: Policy) -> None:
        self.use(student_of(policy), policy.ref)

    def prompt_tokens(self, request: Request) -> int:
        return PROMPT_TOKENS

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """Raises EngineError without a student, or for prompts that are not simulated items."""
        for sampling, batch in groupby(requests, key=lambda request: request.sampling):
            for rollout in self._answer(list(batch)):
                assert rollout.sampling == sampling
                yield rollout

    def _answer(self, requests: Sequence[Request]) -> list[Rollout]:
        if self._student is None:
            raise EngineError("has no student yet: sync_weights first", where="engine 'sim'")
        for request in requests:
            refuse_prefix(request, "sim")
        sampling = requests[0].sampling
        items = np.array([parameters(request.prompt) for request in requests])
        seeds = np.array([group_seed(r.key, r.key.task) for r in requests], dtype=np.uint64)
        samples = np.array([request.key.sample for request in requests], dtype=np.int64)
        passed, lengths, cut = self._student.answer(items[:, 0], items[:, 1], sampling, draws(seeds, samples))
        return [
            Rollout(
                key=request.key,
                prompt_ids=_PROMPT_IDS,
                completion_ids=(int(right),) * tokens,
                text="" if truncated else RIGHT if right else WRONG,
                finish="length" if truncated else "stop",
                policy=self._ref,
                sampling=sampling,
            )
            for request, right, tokens, truncated in zip(
                requests, passed.tolist(), lengths.tolist(), cut.tolist(), strict=True
            )
        ]

    def close(self) -> None:
        self._student = None
