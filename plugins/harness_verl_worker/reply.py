"""What verl's rollout servers reply to one prompt: a completion, or why there is none.

Training, measuring and evaluating ask by the same function, so that a request which came to nothing is
an abort with its reason in both, and never a wrong answer. Nothing of verl is imported here.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any, Final, NamedTuple
from uuid import uuid4

from harness_verl_worker.driver import said

#: `stop_reason` of a reply that was given up before its end; what came until then is no completion of the
#: policy's. verl's rollout servers say the first, vLLM the others.
GIVEN_UP: Final = ("aborted", "abort", "error")

#: Seconds between two words to the driver about the same command.
BEAT: Final = 1.0


class Reply(NamedTuple):
    """Token ids and their log-probabilities (nats; none if the server gave none), or a fault."""

    ids: list[int]
    logprobs: list[float]
    fault: str = ""
    #: What verl says of it besides, such as the version of the weights.
    extra: Mapping[str, Any] = {}


def reply_of(output: Any) -> Reply:
    """verl's `TokenOutput`, judged: a fault has no tokens."""
    ids, logprobs, extra = list(output.token_ids), list(output.log_probs or []), dict(output.extra_fields)
    fault = ""
    if output.stop_reason in GIVEN_UP:
        fault = f"the rollout server gave the request up after {len(ids)} tokens: {output.stop_reason}"
    elif not ids:
        fault = f"no token came back: {output.stop_reason}"
    elif odd := [value for value in logprobs if not math.isfinite(value)]:
        fault = f"log-probabilities are not finite ({odd[0]}): the weights may have diverged"
    return Reply([], [], fault, extra) if fault else Reply(ids, logprobs, "", extra)


async def ask(client: Any, prompt_ids: Sequence[int], sampling: Mapping[str, Any]) -> Reply:
    """The reply of verl's rollout servers; one that fails is a fault, for the driver to decide on."""
    try:
        output = await client.generate(
            request_id=uuid4().hex, prompt_ids=list(prompt_ids), sampling_params=dict(sampling)
        )
    except Exception as error:  # noqa: BLE001 - whatever ends a server: Ray's errors, vLLM's, a lost connection
        return Reply([], [], said(error))
    return reply_of(output)


async def answers(
    client: Any, requests: Sequence[Mapping[str, Any]], tell: Callable[[str], object]
) -> list[dict[str, Any]]:
    """Replies to the driver's requests (`prompt_ids`, `sampling`), in their order, as it takes them.

    Args:
        tell: called with how far it is as replies come, at most every `BEAT` seconds: long completions of
            many requests take longer than a driver waits for a job that says nothing.
    """
    done, told = 0, monotonic()

    async def one(request: Mapping[str, Any]) -> dict[str, Any]:
        nonlocal done, told
        reply = await ask(client, request["prompt_ids"], request["sampling"])
        done += 1
        if monotonic() - told >= BEAT:
            told = monotonic()
            tell(f"evaluation, {done} of {len(requests)} answered")
        return {"ids": reply.ids, "logprobs": reply.logprobs, "fault": reply.fault}

    return list(await asyncio.gather(*(one(request) for request in requests)))
