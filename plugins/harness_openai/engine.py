"""The engine `openai`: generates on servers that speak OpenAI's protocol.

A request is asked of the server with the fewest under way for its pace, seeded by its own key. What can go
wrong with one call decides what follows (`faults.py`); a request that cannot be done is an `abort` with the
reason, and when no server is usable any more the engine gives up with an error, after all rollouts that were
finished have been handed over.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from time import monotonic
from typing import Final

import aiohttp

from harness.contract import (
    BuildContext,
    EngineError,
    Policy,
    PolicyRef,
    RecipeError,
    Request,
    Rollout,
    Served,
)
from harness_openai import protocol
from harness_openai.calls import CONNECT_SECONDS, Caller
from harness_openai.counting import PromptCounter
from harness_openai.faults import Broken, Busy, Dropped, Gone, Lost, Refused
from harness_openai.fleet import Fleet, Server, pause
from harness_openai.options import OpenAIOptions

log = logging.getLogger(__name__)
#: How many servers may be lost under a request before that counts as failed attempts: it may be the reason.
LOSSES: Final = 16
_NUMBERS: Final = re.compile(r"[0-9]+")


class OpenAIEngine:
    """Generates with whatever the servers serve; weights cannot be sent to them."""

    def __init__(self, options: OpenAIOptions, context: BuildContext) -> None:
        """Raises EngineError if the variable that should hold the key is not set."""
        self.options = options
        self.mode: protocol.Mode = options.prompt or context.render
        self._key = _key(options.api_key_env)
        self._policy: PolicyRef | None = None
        self._said: set[tuple[str, str]] = set()
        self._counter = PromptCounter(options, context, self.mode, self._key)

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """One rollout per request, as they finish.

        Raises:
            EngineError: a server serves another model or refuses the key; or no server was usable for
                longer than `patience`.
        """
        if not requests:
            return
        results: asyncio.Queue[Rollout | None] = asyncio.Queue()
        job = asyncio.create_task(self._run(requests, results))
        try:
            while (rollout := await results.get()) is not None:
                yield rollout
            await job
        finally:
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)

    def served(self) -> Served:
        """The model that the servers serve; they are asked now, once.

        Raises:
            RecipeError: one serves another model, or refuses the key.
            EngineError: none of them answers.
        """
        return asyncio.run(self._ask_models())

    async def _ask_models(self) -> Served:
        async with self._session() as http:
            fleet = self._fleet(http)
            try:
                await fleet.start()
            except EngineError as error:
                raise RecipeError(
                    error.what, where=error.where, allowed=error.allowed, hint=error.hint
                ) from None
        cards = [server.card for server in fleet.servers if server.card is not None]
        if not cards:
            raise EngineError(
                "no server answers: " + "; ".join(f"{s.url}: {s.fault}" for s in fleet.servers),
                where="engine 'openai'",
                hint="start the server first, or mend its address: servers",
            )
        lengths = [card.max_model_len for card in cards if card.max_model_len]
        return Served(cards[0].id, min(lengths, default=None))

    def _session(self) -> aiohttp.ClientSession:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)

    def _fleet(self, http: aiohttp.ClientSession) -> Fleet:
        return Fleet(Caller(http, self._key, self.options.api_key_env), self.options)

    def prompt_tokens(self, request: Request) -> int:
        """Length of the rendered prompt, in tokens; raises EngineError if nothing can count it."""
        return self._counter.count(request)

    def sync_weights(self, policy: Policy) -> None:
        """Name the weights that the servers serve; raises EngineError if asked to change them."""
        if self._policy is not None and self._policy.weights_sha != policy.ref.weights_sha:
            raise EngineError(
                "servers keep the weights that they were started with", where="engine 'openai'",
                hint="evaluate checkpoints with engine 'vllm' or 'transformers', or a server for each",
            )  # fmt: skip
        self._policy = policy.ref
        self._counter.files = policy.files

    def close(self) -> None:
        """Holds nothing between two calls of `generate`."""

    async def _run(self, requests: Sequence[Request], results: asyncio.Queue[Rollout | None]) -> None:
        try:
            async with self._session() as http:
                fleet = self._fleet(http)
                await fleet.start()
                await self._work(fleet, requests, results)
        finally:
            results.put_nowait(None)

    async def _work(
        self, fleet: Fleet, requests: Sequence[Request], results: asyncio.Queue[Rollout | None]
    ) -> None:
        waiting = iter(requests)
        workers = min(len(requests), len(fleet.servers) * self.options.concurrency)
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(fleet.watch())
                async with asyncio.TaskGroup() as work:
                    for _ in range(workers):
                        work.create_task(self._worker(fleet, waiting, results))
                watch.cancel()
        except ExceptionGroup as errors:
            raise _first(errors) from None

    async def _worker(
        self, fleet: Fleet, waiting: Iterator[Request], results: asyncio.Queue[Rollout | None]
    ) -> None:
        for request in waiting:
            results.put_nowait(await self._ask(fleet, request))

    async def _ask(self, fleet: Fleet, request: Request) -> Rollout:
        """The request's rollout, from the first server that gives one."""
        failed: list[str] = []
        losses = 0
        avoid: set[Server] = set()
        while len(failed) < self.options.attempts:
            server = await fleet.acquire(avoid)
            started = monotonic()
            seconds = 0.0
            try:
                answer = await self._call(fleet, server, request)
            except Busy as busy:
                fleet.trouble(server, busy, request.key.seed)
            except Refused as refusal:
                fleet.worked(server)
                self._say_once(server, refusal)
                return self._aborted(request, server, f"{server.url} refused it: {refusal}")
            except (Gone, Dropped, Broken) as fault:
                lost = isinstance(fault, Gone | Lost)
                losses += lost
                if not lost or losses > LOSSES:
                    failed.append(f"{server.url}: {fault}")
                avoid.add(server)
                if not isinstance(fault, Gone):
                    fleet.trouble(server, fault, request.key.seed)
                if isinstance(fault, Broken):
                    server.took(monotonic() - started, 0)
                    seconds = pause(self.options.backoff, len(failed) - 1, request.key.seed)
            else:
                fleet.worked(server)
                server.took(monotonic() - started, answer.tokens)
                return self._rollout(request, server, answer, monotonic() - started)
            finally:
                await fleet.release(server)
            if seconds and len(failed) < self.options.attempts:
                await asyncio.sleep(seconds)
        return self._aborted(request, server, f"{len(failed)} attempts failed, the last at {failed[-1]}")

    async def _call(self, fleet: Fleet, server: Server, request: Request) -> protocol.Answer:
        card = server.card
        assert card is not None, "a server without a card is not ready"
        body = protocol.body(request, card.id, self.mode, card.dialect, self.options)
        return protocol.answer(
            await fleet.call(server, protocol.PATHS[self.mode], body), request, self.options
        )

    def _say_once(self, server: Server, refusal: Refused) -> None:
        """Name a refusal at its first time: the others of its kind stand in their samples' verdicts."""
        kind = server.url, _NUMBERS.sub("#", str(refusal))
        if kind not in self._said:
            self._said.add(kind)
            log.warning(
                "%s refuses requests: %s (said once; each sample keeps its reason)", *kind[:1], refusal
            )

    def _rollout(self, request: Request, server: Server, answer: protocol.Answer, seconds: float) -> Rollout:
        return Rollout(
            key=request.key,
            prompt_ids=answer.prompt_ids,
            completion_ids=answer.completion_ids,
            text=answer.text,
            finish=answer.finish,
            policy=self._served(server),
            sampling=request.sampling,
            logprobs=answer.logprobs,
            seconds=seconds,
            completion_tokens=None if answer.completion_ids else answer.tokens,
            reason=f"{server.url} filtered its content" if answer.finish == "abort" else "",
        )

    def _aborted(self, request: Request, server: Server, reason: str) -> Rollout:
        return Rollout(
            key=request.key, prompt_ids=(), completion_ids=(), text="", finish="abort",
            policy=self._served(server), sampling=request.sampling, reason=reason,
        )  # fmt: skip

    def _served(self, server: Server) -> PolicyRef:
        return self._policy or PolicyRef(weights_sha=f"served:{server.card.id if server.card else '?'}")


def _key(name: str | None) -> str | None:
    if name is None:
        return None
    key = os.environ.get(name)
    if not key:
        raise EngineError(
            f"the environment variable {name} is not set", where="engine 'openai', api_key_env",
            hint=f"export {name}=<key>",
        )  # fmt: skip
    return key


def _first(errors: ExceptionGroup[Exception]) -> Exception:
    """The error that says most: one of ours, else the first."""
    flat: list[Exception] = []
    for error in errors.exceptions:
        flat.append(_first(error) if isinstance(error, ExceptionGroup) else error)
    return next((error for error in flat if isinstance(error, EngineError)), flat[0])
