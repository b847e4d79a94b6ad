"""`Job.trace`: what a program's variables hold, line after line, on a channel that it cannot forge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from harness_runner import trace
from harness_sandbox import namespaces
from harness_sandbox.local import LocalLauncher
from harness_sandbox.options import PoolOptions
from harness_sandbox.pool import SandboxError, SandboxPool
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import Job, Raw

KINDS = ("unsafe-local", "namespaces")


@pytest.fixture(scope="module", params=KINDS)
def sandbox(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SandboxPool]:
    if request.param == "unsafe-local":
        pool = SandboxPool(LocalLauncher(), PoolOptions(slots=1))
    else:
        why = namespaces.unavailable()
        if why:
            pytest.skip(why)
        from harness_sandbox import rootfs

        options = PoolOptions(slots=1)
        root = rootfs.build(tmp_path_factory.mktemp("cache"), language=options.language)
        pool = SandboxPool(namespaces.NamespaceLauncher(options, root), options)
    yield pool
    pool.close()


def traced(sandbox: SandboxPool, code: str, **how: Any) -> Raw:
    raw = sandbox.run_sync(Job(code, trace=True, wall_seconds=60.0, **how))
    assert raw.status != "infra_error", raw.reason
    return raw


def steps(raw: Raw) -> list[dict[str, Any]]:
    assert not raw.untraced, raw.untraced
    return [json.loads(line) for line in raw.trace.splitlines()]


def test_each_line_has_the_variables_that_it_begins_with(sandbox: SandboxPool) -> None:
    raw = traced(sandbox, "a = 3\nif a > 2:\n    a = a - 1\nprint(a)\n")
    assert (raw.status, raw.stdout, raw.result) == ("ok", b"2\n", b"")
    assert steps(raw) == [
        {"line": 1, "depth": 1, "values": {}},
        {"line": 2, "depth": 1, "values": {"a": 3}},
        {"line": 3, "depth": 1, "values": {"a": 3}},
        {"line": 4, "depth": 1, "values": {"a": 2}},
        {"return": 4, "depth": 1, "values": {"a": 2}},
    ]


def test_a_function_has_its_own_variables_and_depth(sandbox: SandboxPool) -> None:
    raw = traced(sandbox, "def f(n):\n    m = [n, (n,)]\n    return m\nf(int(input()))\n", stdin=b"7\n")
    inner = [step for step in steps(raw) if step["depth"] == 2]
    assert [step.get("line") for step in inner] == [2, 3, None]
    assert inner[-1]["values"] == {"n": 7, "m": [7, {"!": "tuple", "v": [7]}]}


def test_values_of_classes_of_the_programs_making_are_left_out(sandbox: SandboxPool) -> None:
    code = (
        "class Liar(int):\n    def __repr__(self):\n        return '99'\na = Liar(1)\nb = [a]\nc = 2\npass\n"
    )
    assert steps(traced(sandbox, code))[-1]["values"] == {"c": 2}


def test_a_program_that_fails_is_traced_up_to_there(sandbox: SandboxPool) -> None:
    raw = traced(sandbox, "a = 1\na = a / 0\na = 2\n")
    assert raw.status == "error"
    assert [step.get("line") for step in steps(raw)] == [1, 2, None]
    assert b"ZeroDivisionError" in raw.stderr


LINE = '{"line": 1, "depth": 1, "values": {"a": 99}}'
#: Programs that want their `a` to be told as 99, with what becomes of them.
FORGERIES = {
    "prints a record": (f"a = 1\nprint({LINE!r})\npass\n", ""),
    "prints a record to stderr": (f"import sys\na = 1\nprint({LINE!r}, file=sys.stderr)\npass\n", ""),
    "writes a record to every descriptor": (
        f"import os\na = 1\nline = b'0' * 32 + {(' ' + LINE)!r}.encode() + b'\\n'\n"
        "for fd in range(3, 30):\n    try: os.write(fd, line)\n    except OSError: pass\n",
        "not the tracer's",
    ),
    "ends before its trace": ("import os\na = 1\nos._exit(0)\n", "ended before"),
    "closes the channel": ("import os\na = 1\nos.close(3)\na = 99\n", "ended before"),
    "patches what writes": (
        "import builtins, json, os\njson.dumps = repr = lambda *a, **k: '99'\n"
        "os.write = lambda fd, data: len(data)\nbuiltins.type = builtins.len = lambda value: 99\n"
        "a = 1\npass\n",
        "",
    ),
    "runs code of its own name": ("a = 1\nexec(compile('a = 99', 'solution.py', 'exec'), {})\npass\n", ""),
    "reads its frames": ("import sys\na = 1\nsys._getframe().f_trace\n", "sys._getframe"),
    "reads a traceback's frame": (
        "a = 1\ntry:\n    1 / 0\nexcept ZeroDivisionError as error:\n    error.__traceback__.tb_frame\n",
        "tb_frame",
    ),
    "reads a generator's frame": ("a = 1\ng = (i for i in 'x')\ng.gi_frame\n", "gi_frame"),
    "lists all objects": ("import gc\na = 1\ngc.get_objects()\n", "gc.get_objects"),
    "takes a signal's frame": ("import signal\na = 1\nsignal.signal(14, print)\n", "refused"),
    "asks for the tracer": ("import sys\na = 1\nsys.gettrace()\n", "refused"),
    "stops the tracer": ("import sys\na = 1\nsys.settrace(None)\na = 99\n", "sys.settrace"),
    "reads its memory": ("a = 1\nopen('/proc/self/mem', 'rb')\n", "open mem"),
    "starts another process": ("import os\na = 1\nos.fork()\n", "os.fork"),
    "says that it is over": ("import sys\na = 1\nsys.audit('harness.end', object())\npass\n", ""),
    "says that a line was run": ("import sys\na = 1\nsys.audit('harness.step', 'frame', 'line')\npass\n", ""),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_program_cannot_forge_its_trace(sandbox: SandboxPool, what: str) -> None:
    code, reason = FORGERIES[what]
    raw = traced(sandbox, code)
    if reason:
        assert reason in raw.untraced, raw
        assert raw.trace == b""
    else:
        assert [step["values"].get("a") for step in steps(raw)][-1] == 1
        assert all(step["values"].get("a", 1) == 1 for step in steps(raw))


def test_a_trace_beyond_its_limit_is_an_output_limit(sandbox: SandboxPool) -> None:
    raw = traced(sandbox, "a = 0\nwhile a < 100_000:\n    a = a + 1\n", result_bytes=10_000)
    assert raw.status == "output_limit"
    assert raw.untraced


def test_only_a_whole_program_is_traced(sandbox: SandboxPool) -> None:
    with pytest.raises(SandboxError, match="whole Python program"):
        sandbox.run_sync(Job("def f(): pass", entry_point="f", calls=[[]], trace=True))


KEY = b"k" * trace.MAC


def signed(*records: str) -> bytes:
    mac, lines = b"", b""
    for record in records:
        mac = trace.blake2b(mac + record.encode(), key=KEY, digest_size=trace.MAC).digest()
        lines += mac.hex().encode() + b" " + record.encode() + b"\n"
    return lines


WHOLE = signed('{"line":1}', '{"line":2}', '{"end":""}')


def test_a_signed_trace_is_read_back() -> None:
    assert trace.verified(WHOLE, KEY) == b'{"line":1}\n{"line":2}'


@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_no_byte_of_a_trace_can_be_changed(place: int, change: int) -> None:
    forged = bytearray(WHOLE)
    forged[place] ^= change
    with pytest.raises(trace.Void):
        trace.verified(bytes(forged), KEY)


@given(st.integers(0, len(WHOLE) - 1))
def test_no_part_of_a_trace_can_be_left_out(length: int) -> None:
    with pytest.raises(trace.Void):
        trace.verified(WHOLE[:length], KEY)


def test_a_line_cannot_be_repeated() -> None:
    first = WHOLE.split(b"\n")[0] + b"\n"
    with pytest.raises(trace.Void, match="line 2"):
        trace.verified(first + WHOLE, KEY)
