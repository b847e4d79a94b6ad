"""Handing requests out to replicas and taking their answers back, for one `generate`."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from harness.contract import EngineError, Message, PolicyRef, Request, Rollout
from harness_vllm.options import VllmOptions
from harness_vllm.process import Message as Line
from harness_vllm.process import Replica

#: Seconds between two looks for replicas that stall.
LOOK: Final = 1.0


@dataclass(slots=True)
class Dispatch:
    """Each request is at one replica, or waits."""

    replicas: Sequence[Replica]
    options: VllmOptions
    policy: PolicyRef
    prompts: Mapping[tuple[Message, ...], tuple[int, ...]]
    #: Texts of completions by their ids.
    texts: Callable[[Sequence[Sequence[int]]], Sequence[str]]
    #: Numbers of requests, never repeated: a late answer to an earlier call is known as one.
    numbers: Iterator[int]
    #: Taken from a replica that died, or looked at: they come before `_coming`.
    waiting: deque[Request] = field(default_factory=deque)
    #: By replica and number: the request and when it was sent.
    under_way: dict[Replica, dict[int, tuple[Request, float]]] = field(default_factory=dict)
    _coming: Iterator[Request] = field(default_factory=lambda: iter(()))

    async def run(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """One rollout per request; raises EngineError if all replicas are dead for good."""
        loop = asyncio.get_running_loop()
        lines: asyncio.Queue[tuple[Replica, Line]] = asyncio.Queue()
        self._coming = iter(requests)
        for replica in self.replicas:
            self.under_way[replica] = {}
            replica.deaths = 0
            replica.listen(lambda *line: loop.call_soon_threadsafe(lines.put_nowait, line))
            if replica.state == "dead":
                self._bury(replica)
        while self._waits() or any(self.under_way.values()):
            self._hand_out()
            try:
                async with asyncio.timeout(LOOK):
                    replica, line = await lines.get()
            except TimeoutError:
                self._look()
                continue
            rollout = self._take(replica, line)
            if rollout is not None:
                yield rollout

    def end(self) -> None:
        """Stop listening, and stop what is still under way."""
        for replica, requests in self.under_way.items():
            replica.listen(None)
            if requests and replica.state == "ready":
                replica.send({"abort": list(requests)})

    def _waits(self) -> bool:
        """Whether a request waits. Requests may be made on demand, so that only the next one is held."""
        if not self.waiting:
            self.waiting.extend(itertools.islice(self._coming, 1))
        return bool(self.waiting)

    def _hand_out(self) -> None:
        while self._waits():
            free = [
                replica
                for replica, requests in self.under_way.items()
                if replica.state == "ready" and len(requests) < (self.options.concurrency or 2 * replica.seqs)
            ]
            if not free:
                return
            replica = min(free, key=lambda r: len(self.under_way[r]))
            if not self.under_way[replica]:
                replica.heard = monotonic()
            request, number = self.waiting.popleft(), next(self.numbers)
            self.under_way[replica][number] = (request, monotonic())
            replica.send(
                {
                    "id": number,
                    "prompt": self.prompts[request.prompt] + request.prefix_ids,
                    "sampling": _sampling(request),
                }
            )

    def _take(self, replica: Replica, line: Line) -> Rollout | None:
        if "dead" in line:
            # It may have been started again already, when it died before this call.
            if replica.state == "dead":
                self._bury(replica)
            return None
        if "id" not in line:
            return None
        request, sent = self.under_way[replica].pop(line["id"], (None, 0.0))
        if request is None:
            return None
        prompt = self.prompts[request.prompt]
        same: dict[str, Any] = {
            "key": request.key,
            "prompt_ids": prompt,
            "policy": self.policy,
            "sampling": request.sampling,
            "seconds": monotonic() - sent,
        }
        if "error" in line:
            reason = f"vLLM refused it: {line['error']}"[:500]
            return Rollout(completion_ids=(), text="", finish="abort", reason=reason, **same)
        if request.prefix_ids:
            # Of what it was given vLLM says neither text nor log-probabilities.
            ids = request.prefix_ids + tuple(line["ids"])
            (text,) = self.texts([ids])
            return Rollout(
                completion_ids=ids, text=text, finish=line["finish"], prefix=len(request.prefix_ids), **same
            )
        return Rollout(
            completion_ids=tuple(line["ids"]),
            text=line["text"],
            finish=line["finish"],
            logprobs=None if line["logprobs"] is None else tuple(line["logprobs"]),
            **same,
        )

    def _bury(self, replica: Replica) -> None:
        """Give its requests to the others and start it again, if it may be."""
        lost = self.under_way[replica]
        self.waiting.extendleft(request for request, _ in lost.values())
        lost.clear()
        replica.deaths += 1
        if replica.deaths <= self.options.restarts:
            replica.start()
        elif all(r.state == "dead" for r in self.replicas):
            raise died(replica, f"died {replica.deaths} times, and no other replica is left")

    def _look(self) -> None:
        now = monotonic()
        for replica, requests in self.under_way.items():
            limit = self.options.start_seconds if replica.state == "starting" else self.options.stall_seconds
            if (requests or replica.state == "starting") and now - replica.heard > limit:
                replica.kill()


def died(replica: Replica, what: str) -> EngineError:
    """What became of a replica, with its last words."""
    return EngineError(
        f"replica {replica.number} {what}; it said last:\n    {replica.last_words() or '(nothing)'}",
        where="engine 'vllm'",
        hint="set python to the interpreter of an environment that has vllm, or lower its memory in engine",
    )


def _sampling(request: Request) -> dict[str, Any]:
    """vLLM's sampling parameters; what is not named here is neutral there."""
    how = request.sampling
    return {
        "seed": request.key.seed,
        "temperature": how.temperature,
        "top_p": how.top_p,
        "top_k": how.top_k,
        "max_tokens": how.max_tokens - len(request.prefix_ids),
        "stop": list(how.stop),
        "logprobs": 0 if request.logprobs else None,
    }
