"""What comes out of sandboxes and worker processes: frames, outcomes, traces, values."""

from __future__ import annotations

import json
import math
from typing import Any

from harness_remote import messages
from harness_runner import frames, trace, values
from harness_runner.server import WIRE
from harness_sandbox import exchange
from harness_sandbox.channel import ChannelError
from harness_sandbox.slot import Slot
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import Job, Raw
from harness.scoring.framing import Frames, frame
from tests.support import fuzz

OUTCOME = {
    "op": "done", "status": "exited", "exit": 0, "wall_s": 0.1, "cpu_s": 0.1, "peak_mb": 9.0, "signal": None,
    "strays": 0,
    "spent_s": 0.2, "clean": True,
}  # fmt: skip
HELLO = {"op": "hello", "wire": WIRE}
PARTS = {"stdout": b"42\n", "stderr": b"", "result": b"+{}"}
RAW = Raw("ok", 0, b"42\n", b"", b"{}", 0.1, 0.1, 9.0)
JOB = Job(code="print(42)", entry_point="f", calls=[[1, (2, {3})], ["x"]])
CALLS: list[Any] = [
    {"ok": values.pack([1, (2.0, {3}), {"a": b"x", 4: 1 + 2j}, 10**2000, math.inf])}, {"error": "ValueError"},
    {"loaded": True},
]  # fmt: skip


@st.composite
def framed(draw: st.DrawFn, headers: list[Any], parts: list[dict[str, bytes]]) -> bytes:
    """A frame whose header has edits, and whose lengths may lie."""
    chosen = draw(st.sampled_from(parts))
    lengths = {name: len(part) for name, part in chosen.items() if part}
    header = draw(st.one_of(st.sampled_from(headers), fuzz.mutated(headers), fuzz.mutated(headers, edits=1)))
    if isinstance(header, dict) and draw(st.integers(0, 3)):
        header = {
            **header,
            "parts": draw(st.one_of(st.just(lengths), st.just(lengths), fuzz.mutated([lengths or {"x": 0}]))),
        }
    head, body = fuzz.as_json(header), b"".join(chosen.values())
    sizes = draw(st.sampled_from((*[(0, 0)] * 9, (1, 0), (0, 1), (-1, 0), (0, -1))))
    return frames.PREFIX.pack(max(0, len(head) + sizes[0]), max(0, len(body) + sizes[1])) + head + body


class Given:
    """A channel to a server that says these bytes, whatever it is asked."""

    def __init__(self, said: bytes) -> None:
        self.said, self.killed = said, False

    def send(self, buffers: Any, deadline: float) -> None:
        list(buffers)

    def read_into(self, view: memoryview, deadline: float) -> int:
        part, self.said = self.said[: len(view)], self.said[len(view) :]
        view[: len(part)] = part
        return len(part)

    def kill(self) -> None:
        self.killed = True

    def last_words(self) -> str:
        return ""


class Launcher:
    """Starts servers that say the same."""

    kind, warm = "given", False

    def __init__(self, said: bytes) -> None:
        self.said = said

    def start(self, slot: int) -> Given:
        return Given(self.said)

    def sweep(self) -> int:
        return 0

    def close(self) -> None: ...


@fuzz.examples(300)
@given(
    hello=st.one_of(
        st.just(b"".join(frames.pack(HELLO, {}))),
        st.just(b"".join(frames.pack(HELLO, {}))),
        framed([HELLO], [{}]),
    ),
    answer=st.one_of(
        framed([OUTCOME], [PARTS, {}, {"result": b"+"}]), fuzz.torn([b"".join(frames.pack(OUTCOME, PARTS))])
    ),
    traced=st.booleans(),
)
def test_a_server_answers_or_is_dropped(hello: bytes, answer: bytes, traced: bool) -> None:
    slot = Slot(0, Launcher(hello + answer), recycle_after=9, probe_idle=9.0)
    job = Job(code="x", trace=traced)
    raw = fuzz.outcome("sandbox server", lambda: slot.run(job), ChannelError, shown=(hello, answer, traced))
    if isinstance(raw, Raw):
        assert messages.unpack_raw(messages.pack_raw(raw)).status == raw.status
    slot.drop()


@fuzz.examples(200)
@given(
    st.one_of(
        framed(
            [
                {k: v for k, v in OUTCOME.items() if k != "op"}
                | {"reason": "", "queue_s": 0.0, "untraced": ""}
            ],
            [PARTS],
        ),
        fuzz.torn([messages.pack_raw(RAW), messages.pack_job(JOB)]),
    )
)
def test_a_hosts_message_is_one_or_refused(data: bytes) -> None:
    fuzz.outcome("remote outcome", lambda: messages.unpack_raw(data), messages.MessageError, shown=data)
    fuzz.outcome("remote job", lambda: messages.unpack_job(data), messages.MessageError, shown=data)


HEADER = {
    "language": "python", "cpu_seconds": 1.0, "wall_seconds": 2.0, "memory_mb": 64, "output_bytes": 10,
    "result_bytes": 10, "trace": False,
}  # fmt: skip
PLAN = {
    "entry_point": "f",
    "calls": [[values.pack((1, {2})), "x"]],
    "expressions": ["1"],
    "tests": "",
    "names": ["f"],
}


@fuzz.examples(200)
@given(
    header=st.one_of(st.just(HEADER), fuzz.mutated([HEADER])),
    plan=fuzz.mutated([PLAN]),
    code=st.binary(max_size=9),
)
def test_a_clients_job_is_one_or_refused(header: Any, plan: Any, code: bytes) -> None:
    told = header if isinstance(header, dict) else {"header": header}
    try:
        packed = json.dumps({k: v for k, v in told.items() if k != "parts"}, default=str)
    except TypeError:
        return
    data = b"".join(frames.pack(json.loads(packed), {"code": code, "plan": fuzz.as_json(plan)}))
    fuzz.outcome("remote job", lambda: messages.unpack_job(data), messages.MessageError, shown=data)


@fuzz.examples(300)
@given(st.one_of(fuzz.mutated(CALLS).map(fuzz.as_json), fuzz.torn([fuzz.as_json(call) for call in CALLS])))
def test_what_a_call_gave_is_told_or_refused(line: bytes) -> None:
    """`ValueError` is what its readers take for a program's fault."""
    told = fuzz.outcome("call outcome", lambda: values.loads_outcome(line), ValueError, shown=line)
    if isinstance(told, dict) and "ok" in told:
        json.dumps(values.pack(told["ok"]))


@fuzz.examples(150)
@given(signed=fuzz.torn([b'00 {"end":""}\n', b""]), key=st.binary(min_size=1, max_size=8))
def test_a_trace_is_the_tracers_or_void(signed: bytes, key: bytes) -> None:
    fuzz.outcome("trace", lambda: trace.verified(signed, key), trace.Void, shown=(signed, key))


@fuzz.examples(150)
@given(payloads=st.lists(st.binary(max_size=50), max_size=6), data=st.data())
def test_frames_of_workers_arrive_however_they_are_cut(payloads: list[bytes], data: st.DataObject) -> None:
    stream, cutter, got = b"".join(map(frame, payloads)), Frames(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += cutter.feed(stream[:size])
        stream = stream[size:]
    assert got == payloads


def test_the_documents_are_valid() -> None:
    assert exchange.reply(OUTCOME, PARTS).status == "ok"
    assert messages.unpack_raw(messages.pack_raw(RAW)) == RAW
    assert messages.unpack_job(messages.pack_job(JOB)).calls == JOB.calls
    said = b"".join([*frames.pack(HELLO, {}), *frames.pack(OUTCOME, PARTS)])
    slot = Slot(0, Launcher(said), recycle_after=9, probe_idle=9.0)
    assert slot.run(Job(code="x")).stdout == b"42\n"
