"""What servers say: engines' answers, model lists, errors and headers; sandbox hosts' states and answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from harness_openai import protocol
from harness_openai.calls import Caller, asked_pause
from harness_openai.faults import Fault
from harness_openai.options import OpenAIOptions
from harness_remote import hosts, messages
from harness_remote.options import RemoteOptions
from harness_sandbox.pool import SandboxError
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.records import encode
from tests.support import fuzz
from tests.support.builders import request

CHOICE = {
    "index": 0, "finish_reason": "stop", "text": "4", "message": {"role": "assistant", "content": "4",
    "reasoning": "2+2"},
    "token_ids": [5, 6], "prompt_token_ids": [1], "logprobs": {"token_logprobs": [-0.1, None],
    "content": [{"logprob": -0.1}]},
}  # fmt: skip
PARTED = {
    "finish_reason": "length",
    "message": {"content": [{"type": "thinking", "thinking": [{"text": "a"}, "b"]}, {"type": "text",
    "text": "4"}, "c"]},
}  # fmt: skip
ANSWERS: list[Any] = [
    {
        "id": "x",
        "model": "m",
        "choices": [CHOICE],
        "usage": {"completion_tokens": 2},
        "prompt_token_ids": [1, 2],
    },
    {"choices": [PARTED], "usage": {"completion_tokens": 3}},
]
CARDS = [{"object": "list", "data": [{"id": "m", "owned_by": "vllm", "max_model_len": 4096}]}]
ERRORS: list[Any] = [{"error": {"message": "no", "code": 4}}, {"message": "no"}, ["no"], "no"]
STATUS = {
    "slots": 2, "protocol": messages.PROTOCOL, "runner": messages.runner(), "kind": "namespaces",
    "python": "CPython",
    "memory_mb": 512, "body_bytes": 1000, "language": "", "draining": False,
}  # fmt: skip
DATES = ("Wed, 21 Oct 2015 07:28:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359",
"Fri, 31 Dec 9999 23:59:59 -2359", "1", "nan",
         "inf", "-1", "1e400", "0x10", "1_0", "٣")  # fmt: skip
OPTIONS = OpenAIOptions(servers=("http://127.0.0.1:1/v1",), finish={"eot": "stop"})

header_texts = st.one_of(
    st.sampled_from(DATES),
    st.text(max_size=12),
    fuzz.torn([d.encode() for d in DATES]).map(lambda b: b.decode("latin-1")),
)


def replies(documents: list[Any]) -> st.SearchStrategy[bytes]:
    whole = [fuzz.as_json(document) for document in documents]
    return st.one_of(fuzz.mutated(documents).map(fuzz.as_json), fuzz.torn(whole))


@fuzz.examples(300)
@given(replies(ANSWERS))
def test_an_answer_is_a_completion_or_a_fault(given_bytes: bytes) -> None:
    asked = request()
    made = fuzz.outcome(
        "openai answer", lambda: protocol.answer(given_bytes, asked, OPTIONS), Fault, shown=given_bytes
    )
    if isinstance(made, protocol.Answer):
        encode(made)


@fuzz.examples(150)
@given(models=replies(CARDS), error=replies(ERRORS))
def test_lists_of_models_and_errors_are_read(models: bytes, error: bytes) -> None:
    fuzz.outcome("openai cards", lambda: protocol.cards(models), Fault, shown=models)
    said = fuzz.outcome("openai error", lambda: protocol.error_text(error), shown=error)
    assert isinstance(said, str)
    assert len(said) <= 300


@fuzz.examples(200)
@given(
    headers=st.dictionaries(st.sampled_from(("retry-after-ms", "Retry-After", "Date")), header_texts),
    host=st.one_of(header_texts, fuzz.odd()),
)
def test_a_pause_is_a_number_of_seconds(headers: dict[str, str], host: Any) -> None:
    seconds = fuzz.outcome("openai pause", lambda: asked_pause(headers), shown=headers)
    assert seconds is None or 0 <= seconds <= 600  # type: ignore[operator]
    rest = fuzz.outcome("remote pause", lambda: hosts._seconds(host), shown=host)
    assert 0 < rest <= 30  # type: ignore[operator]


# Over a real socket ------------------------------------------------------------------------------


@dataclass
class Sayer:
    """A server that says these bytes to every request, then hangs up."""

    loop: asyncio.AbstractEventLoop
    said: bytes = b""
    port: int = 0
    http: aiohttp.ClientSession = field(init=False)

    async def start(self) -> None:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self.http = aiohttp.ClientSession()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.said)
        writer.close()

    def wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()


@pytest.fixture(scope="module")
def sayer() -> Iterator[Sayer]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    made = Sayer(loop)
    made.wait(made.start())
    yield made
    made.wait(made.http.close())
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def response(status: int, headers: str, body: bytes, length: int) -> bytes:
    return f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body) + length}\r\n\r\n".encode() + body


HEADERS = ("", "Content-Type: application/json\r\n", "Retry-After: nan\r\n", "Retry-After: 1\r\n",
"Content-Encoding: gzip\r\n",
           "Transfer-Encoding: chunked\r\n", "Location: http://127.0.0.1:1/\r\n")  # fmt: skip


def said(body: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """A response with such a body, and bytes that are hardly one."""
    codes = st.one_of(
        st.just(200), st.sampled_from((201, 202, 204, 301, 400, 401, 404, 408, 429, 500, 503, 999))
    )
    whole = response(200, HEADERS[1], b"{}", 0)
    return st.one_of(
        st.builds(response, codes, st.sampled_from(HEADERS), body, st.sampled_from((0, 0, 0, 5))),
        fuzz.torn([whole]),
    )


def asked(make: Callable[[], Any], sayer: Sayer, given_bytes: bytes) -> Callable[[], Any]:
    def ask() -> Any:
        sayer.said = given_bytes
        return sayer.wait(make())

    return ask


@fuzz.examples(120)
@given(said(replies([*ANSWERS, *ERRORS])))
def test_a_call_gives_bytes_or_a_fault(sayer: Sayer, given_bytes: bytes) -> None:
    caller = Caller(sayer.http, "key", "KEY")
    url = f"http://127.0.0.1:{sayer.port}/v1/completions"
    call = asked(lambda: caller.call("POST", url, b"{}", 60.0), sayer, given_bytes)
    fuzz.outcome("openai call", call, Fault, shown=given_bytes)


HOST_FAULTS = (hosts.Busy, hosts.Unreached, hosts.Lost, hosts.Unknown, hosts.Refused, hosts.Denied)


@fuzz.examples(120)
@given(status=said(replies([STATUS])), answer=said(replies([{"error": "full", "retry_after": 2}])))
def test_a_host_is_known_and_asked_or_a_fault(sayer: Sayer, status: bytes, answer: bytes) -> None:
    async def look() -> Any:
        known = hosts.Hosts(RemoteOptions(servers=(f"http://127.0.0.1:{sayer.port}",)), "token")
        try:
            await known.learn(known.all[0])
            assert known.all[0].room > 0, "a host without room would be waited for without end"
            assert known.memory_mb >= 0
            sayer.said = answer
            return await known.call(known.all[0], "POST", "/v1/jobs/1", b"{}")
        finally:
            await known.close()

    fuzz.outcome(
        "remote host", asked(look, sayer, status), SandboxError, *HOST_FAULTS, shown=(status, answer)
    )
