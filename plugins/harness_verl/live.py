"""The job's rollout servers as an engine: inside a stage with its live weights, and between stages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
from harness_transformers.prompts import Renderer

from harness.contract import Policy, PolicyRef, Request, Rollout
from harness_verl.hub import Arrival
from harness_verl.job import RayJob

#: Requests of one command: what a line of the socket holds, not what the servers can take at once.
CHUNK: Final = 512


class LiveEngine:
    """Generates with the weights that the job has now, which it is told the name of (protocol `Engine`)."""

    def __init__(
        self, job: RayJob, renderer: Renderer, ends: frozenset[int], ref: PolicyRef, context_length: int
    ) -> None:
        self._job, self._renderer, self._ends, self._ref = job, renderer, ends, ref
        self._context_length = context_length

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        prompts = self._renderer.fitting(requests, self._context_length)
        for first in range(0, len(requests), CHUNK):
            chunk = requests[first : first + CHUNK]
            asked = [
                {"prompt_ids": [*prompts[r.prompt], *r.prefix_ids], "sampling": sampling(r)} for r in chunk
            ]
            answers: list[dict[str, Any]] = self._job.call("answer", requests=asked)
            completions = [
                msgspec.convert({"uid": "", "sample": i, **answer}, Arrival)
                for i, answer in enumerate(answers)
            ]
            for rollout in rollouts(chunk, completions, self._renderer, self._ends, self._ref):
                yield rollout

    def prompt_tokens(self, request: Request) -> int:
        return len(self._renderer.prompt_ids(request.prompt))

    def sync_weights(self, policy: Policy) -> None:
        raise NotImplementedError("it has the live weights, and those alone")

    def close(self) -> None: ...


def sampling(request: Request) -> dict[str, Any]:
    """vLLM's sampling parameters."""
    how = request.sampling
    return {
        "seed": request.key.seed,
        "temperature": how.temperature,
        "top_p": how.top_p,
        "top_k": how.top_k or -1,
        "max_tokens": how.max_tokens - len(request.prefix_ids),
        "stop": list(how.stop),
        "logprobs": True,
    }


def rollouts(
    requests: Sequence[Request],
    completions: Sequence[Arrival],
    renderer: Renderer,
    ends: frozenset[int],
    ref: PolicyRef,
) -> list[Rollout]:
    """Completions as rollouts: text is decoded here, where it is judged."""
    made = []
    every = [request.prefix_ids + c.ids for request, c in zip(requests, completions, strict=True)]
    texts = renderer.texts(every)
    prompts = {prompt: renderer.prompt_ids(prompt) for prompt in {r.prompt for r in requests}}
    for request, completion, ids, text in zip(requests, completions, every, texts, strict=True):
        same: dict[str, Any] = {
            "key": request.key,
            "prompt_ids": prompts[request.prompt],
            "policy": ref,
            "sampling": request.sampling,
        }
        if completion.fault:
            made.append(Rollout(completion_ids=(), text="", finish="abort", reason=completion.fault, **same))
            continue
        # verl has vLLM report probabilities after temperature and truncation; ours are those before.
        plain = (
            request.sampling.temperature == 1 and request.sampling.top_p == 1 and not request.sampling.top_k
        )
        # Of a prefix verl says no probabilities.
        told = plain and not request.prefix_ids
        cut = len(ids) >= request.sampling.max_tokens and ids[-1] not in ends
        made.append(
            Rollout(
                completion_ids=ids,
                text=text,
                finish="length" if cut else "stop",
                logprobs=(completion.logprobs or None) if told else None,
                prefix=len(request.prefix_ids),
                **same,
            )
        )
    return made
