"""A node: some OpenAI-compatible servers in one process, which may be killed. Standard library alone, so that
many of them take little of a core.

    python servers.py '{"host": "127.0.0.1", "ports": [8000], "latency": {}, "log": "node.txt"}'

Answers are what vLLM's server gives, token ids and log-probabilities included, because the client has to read
them. They are not streamed: the engine `openai` asks for whole answers, so the time of all tokens passes, and
then all of them are sent. Lines on standard input change the behaviour: `{"slow": 4}` takes four times as
long, `{"hangup": 0.1}` ends a tenth of the connections in mid-answer. The log has a line per request that
came, `ask PORT SEED`, and one per answer that was written, `give PORT SEED TOKENS SECONDS`, with the seconds
of the model.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sys
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from clusters.latency import Latency, drawn

MODEL: Final = "stand-in"
#: Share of the answers that are right lies between these, by the task.
EASY, HARD = 0.85, 0.15
#: Share of the programs that run until their time limit.
ENDLESS: Final = 0.01
_WORDS: Final = (" so", " the", " sum", " of", " both", " is", " then", " we", " check", " it", " again", ",")


class Text:
    """The first n tokens of a long text as JSON: what is written, ids, and log-probabilities."""

    def __init__(self, most: int) -> None:
        words = [_WORDS[i % len(_WORDS)] for i in range(most)]
        entries = [
            json.dumps({"token": word, "logprob": -0.125, "bytes": list(word.encode()), "top_logprobs": []})
            for word in words
        ]
        ids = [str(1000 + i % len(_WORDS)) for i in range(most)]
        self.words, self._word_ends = _joined(words, "")
        self.ids, self._id_ends = _joined(ids, ",")
        self.logprobs, self._logprob_ends = _joined(entries, ",")

    def first(self, count: int) -> tuple[bytes, bytes, bytes]:
        return (
            self.words[: self._word_ends[count]],
            self.ids[: self._id_ends[count]],
            self.logprobs[: self._logprob_ends[count]],
        )


def _joined(parts: list[str], separator: str) -> tuple[bytes, list[int]]:
    """All parts, and where the first n of them end."""
    ends, at = [0], 0
    for part in parts:
        at += len(part)
        ends.append(at)
        at += len(separator)
    return separator.join(parts).encode(), ends


class Node:
    """The servers of one process."""

    def __init__(self, latency: Latency, log: Path) -> None:
        self.latency = latency
        self.slow, self.hangup = 1.0, 0.0
        self._text = Text(latency.most)
        self._draw = random.Random()
        self._log = log.open("a", buffering=1)

    def tell(self, line: bytes) -> None:
        """A line of standard input."""
        told = json.loads(line)
        self.slow, self.hangup = told.get("slow", self.slow), told.get("hangup", self.hangup)

    def note(self, *words: object) -> None:
        self._log.write(" ".join(map(str, words)) + "\n")

    async def answer(self, server: Server, body: dict[str, Any]) -> tuple[bytes, bool]:
        """The answer's body, and whether the connection is to end in the middle of it."""
        prompt = body["messages"][-1]["content"]
        seed = body.get("seed", 0)
        self.note("ask", server.port, seed)
        draw = drawn(prompt, seed)
        wanted = self.latency.length(draw)
        tokens = min(wanted, body["max_tokens"])
        cut = wanted >= min(body["max_tokens"], self.latency.most)
        seconds = self.latency.seconds(tokens, self._draw)
        said = "" if cut else solution(prompt, draw)
        async with server.room:
            await asyncio.sleep(seconds * self.slow)
        hangs_up = self._draw.random() < self.hangup
        if not hangs_up:
            self.note("give", server.port, seed, tokens, f"{seconds:.3f}")
        words, ids, logprobs = self._text.first(tokens)
        finish = "length" if cut else "stop"
        parts = (
            b'{"id":"x","object":"chat.completion","model":"%s","prompt_token_ids":[1,2,3],"choices":[{"index":0,'
            b'"finish_reason":"%s","message":{"role":"assistant","content":"'
            % (MODEL.encode(), finish.encode()),
            words,
            json.dumps(said).encode()[1:],
            b'},"logprobs":{"content":[',
            logprobs,
            b']},"token_ids":[',
            ids,
            b']}],"usage":{"prompt_tokens":3,"completion_tokens":%d,"total_tokens":%d}}'
            % (tokens, tokens + 3),
        )
        return b"".join(parts), hangs_up


def solution(prompt: str, draw: random.Random) -> str:
    """What answers "... the sum of A and B" at the end of a response, as a program or as a number."""
    a, b = map(int, re.findall(r"-?\d+", prompt)[-2:])
    chance = random.Random(prompt).uniform(HARD, EASY)
    right = draw.random() < chance
    if "program" not in prompt:
        return f"\n\nThe answer is \\boxed{{{a + b if right else a - b}}}."
    if draw.random() < ENDLESS:
        code = "while True:\n    pass"
    else:
        code = f"a, b = map(int, input().split())\nprint(a {'+' if right else '-'} b)"
    return f"\n\n```python\n{code}\n```\n"


class Server:
    """One address."""

    def __init__(self, node: Node, port: int) -> None:
        self.node, self.port = node, port
        self.room = asyncio.Semaphore(node.latency.slots)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client went away.
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection goes on."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"(?i)^content-length: *(\d+)", head, re.MULTILINE)
        given = await reader.readexactly(int(length[1])) if length else b""
        path = head.split(" ", 2)[1]
        if path.endswith("/models"):
            card = {"id": MODEL, "object": "model", "owned_by": "vllm", "max_model_len": 65536}
            body, hangs_up = json.dumps({"object": "list", "data": [card]}).encode(), False
        elif path.endswith("/tokenize"):
            body, hangs_up = b'{"count": 3, "max_model_len": 65536}', False
        else:
            body, hangs_up = await self._answered(reader, json.loads(given))
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        writer.write(body[: len(body) // 2] if hangs_up else body)
        await writer.drain()
        return not hangs_up

    async def _answered(self, reader: asyncio.StreamReader, asked: dict[str, Any]) -> tuple[bytes, bool]:
        """The answer, unless the client goes away before, whose slot is then free, as it is at vLLM."""
        work = asyncio.create_task(self.node.answer(self, asked))
        gone = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait([work, gone], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ConnectionResetError
            return work.result()
        finally:
            work.cancel()
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)


async def main() -> None:
    told = json.loads(sys.argv[1])
    node = Node(Latency(**told["latency"]), Path(told["log"]))
    servers = []
    for port in told["ports"]:
        server = Server(node, port)
        servers.append(
            await asyncio.start_server(server.serve, told["host"], port, limit=1 << 20, backlog=256)
        )
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    print(f"serving at http://{told['host']}:{told['ports'][0]}", flush=True)
    while line := await reader.readline():
        node.tell(line)


if __name__ == "__main__":
    asyncio.run(main())
