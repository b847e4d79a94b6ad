"""A small server that speaks OpenAI's protocol over real sockets, with faults by script.

A token is a byte. Completions depend on prompt and seed alone, so that any server gives the same ones.
As a process of its own (`spawn`) it can be killed; in a thread (`serving`) it starts at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.places import ROOT


@dataclass
class Script:
    """How a server behaves."""

    model: str = "tiny"
    #: As vLLM: its card says so, token ids and log-probabilities come back, `/tokenize` is there.
    vllm: bool = True
    #: What becomes of its first completion requests, in order; then `always`.
    faults: list[str] = field(default_factory=list)
    always: str = "ok"
    seconds: float = 0.0
    #: Headers of a 429, and the key that it wants.
    retry_after: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    #: Seeds beyond this are refused.
    most_seed: int | None = None
    key: str | None = None
    #: Further fields of the choice's message, for `/chat/completions`.
    message: dict[str, Any] = field(default_factory=dict)
    #: What completions say, one of these by prompt and seed; without any they are hexadecimal digits.
    texts: list[str] = field(default_factory=list)
    port: int = 0


@dataclass
class Fake:
    """The server's state: what was asked of it, and the most at once."""

    script: Script
    bodies: list[dict[str, Any]] = field(default_factory=list)
    now: int = 0
    most: int = 0
    url: str = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v1/models", self.models)
        app.router.add_post("/v1/chat/completions", self.complete)
        app.router.add_post("/v1/completions", self.complete)
        if self.script.vllm:
            app.router.add_post("/tokenize", self.tokenize)
        return app

    async def models(self, request: web.Request) -> web.StreamResponse:
        if self.script.always == "deaf":
            await asyncio.sleep(3600)
        if self.script.key and request.headers.get("Authorization") != f"Bearer {self.script.key}":
            return self._error(401, f"wrong key {request.headers.get('Authorization')}")
        owner = "vllm" if self.script.vllm else "someone"
        card = {"id": self.script.model, "object": "model", "owned_by": owner, "max_model_len": 4096}
        return web.json_response({"object": "list", "data": [card]})

    async def tokenize(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"count": len(_prompt(await request.json()))})

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            script = self.script
            fault = script.faults.pop(0) if script.faults else script.always
            await asyncio.sleep(script.seconds)
            return await self._give(fault, request, body)
        finally:
            self.now -= 1

    async def _give(self, fault: str, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        most = self.script.most_seed
        if most is not None and body.get("seed", 0) > most:
            return self._error(400, f"Invalid value at 'seed': {body['seed']}")
        if fault == "drop":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault in ("hang", "deaf"):
            await asyncio.sleep(3600)
        if fault.isdigit():
            headers = {"Retry-After": self.script.retry_after} if self.script.retry_after else {}
            return self._error(int(fault), f"told to say {fault}", headers | self.script.headers)
        if fault == "rubbish":
            return web.Response(body=b'{"choices": [{"text": \xff\xfe', content_type="application/json")
        if fault == "html":
            return web.Response(text="<html>proxy</html>", content_type="text/html")
        answer = self._answer(body, chat=request.path.endswith("/chat/completions"))
        if fault == "no-usage":
            del answer["usage"]
        elif fault in ("two-choices", "no-choices"):
            answer["choices"] *= 2 if fault == "two-choices" else 0
        elif fault == "too-long":
            answer["usage"]["completion_tokens"] = 10**6
        elif fault.startswith("finish:"):
            answer["choices"][0]["finish_reason"] = fault.partition(":")[2]
        else:
            assert fault == "ok", fault
        return web.json_response(answer)

    def _answer(self, body: dict[str, Any], *, chat: bool) -> dict[str, Any]:
        prompt, limit = _prompt(body), body["max_tokens"]
        seed = body.get("seed", 0) if body["temperature"] else 0
        full = hashlib.sha256(f"{prompt}/{seed}".encode()).hexdigest()
        texts = self.script.texts
        full = texts[int(full, 16) % len(texts)] if texts else full[: 4 + int(full[0], 16)]
        text = full[:limit]
        finish = "length" if len(full) > limit else "stop"
        choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
        usage = {"prompt_tokens": len(prompt), "completion_tokens": len(text)}
        answer = {"id": "x", "model": body["model"], "choices": [choice], "usage": usage}
        if chat:
            choice["message"] = {"role": "assistant", "content": text} | self.script.message
        else:
            choice["text"] = text
        if self.script.vllm and body.get("return_token_ids"):
            choice["token_ids"] = list(text.encode())
            answer["prompt_token_ids"] = list(prompt.encode())
            numbers = [-0.5 - i for i in range(len(text))]
            choice["logprobs"] = (
                {"content": [{"token": c, "logprob": n} for c, n in zip(text, numbers, strict=True)]}
                if chat
                else {"tokens": list(text), "token_logprobs": numbers}
            )
        return answer

    def _error(self, status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
        return web.json_response({"error": {"message": message}}, status=status, headers=headers)


def _prompt(body: dict[str, Any]) -> str:
    if "messages" in body:
        return "".join(f"<{m['role']}>{m['content']}" for m in body["messages"]) + "<assistant>"
    return str(body["prompt"])


async def _serve(fake: Fake) -> web.AppRunner:
    runner = web.AppRunner(fake.app(), handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", fake.script.port).start()
    fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    return runner


@contextlib.contextmanager
def serving(**script: Any) -> Iterator[Fake]:
    """A server in a thread of this process."""
    fake, loop, started = Fake(Script(**script)), asyncio.new_event_loop(), threading.Event()
    runners: list[web.AppRunner] = []

    async def start() -> None:
        runners.append(await _serve(fake))
        started.set()

    loop.create_task(start())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    assert started.wait(10), "the server did not start"
    try:
        yield fake
    finally:
        asyncio.run_coroutine_threadsafe(runners[0].cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@dataclass
class Spawned:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].partition("/")[0])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def spawn(**script: Any) -> Iterator[Spawned]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.openai_server", json.dumps(script)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield Spawned(process, process.stdout.readline().strip())
    finally:
        process.kill()
        process.wait()


async def _main() -> None:
    fake = Fake(Script(**json.loads(sys.argv[1])))
    await _serve(fake)
    print(fake.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
