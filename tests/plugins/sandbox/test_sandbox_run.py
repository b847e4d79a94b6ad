"""What a program meets inside, the same in every kind: it runs as a real process would, and no further."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from harness_runner import values
from harness_sandbox.pool import SandboxError

from tests.support.sandboxes import CONTAINED, run, sandbox


@pytest.fixture(scope="module", params=CONTAINED)
def pool(request: pytest.FixtureRequest) -> Iterator[Any]:
    with sandbox(request.param) as made:
        yield made


def test_a_program_reads_stdin_and_writes_stdout(pool: Any) -> None:
    raw = run(pool, "print(sum(map(int, input().split())))", stdin=b"3 4\n")
    assert (raw.status, raw.exit, raw.stdout, raw.stderr) == ("ok", 0, b"7\n", b"")
    assert raw.cpu_s < 5
    assert 0 < raw.peak_mb < 256


@pytest.mark.parametrize(
    "reading",
    ["open(0).read()", "open('/dev/stdin').read()", "__import__('sys').stdin.buffer.read().decode()",
     "__import__('os').read(0, 100).decode()", "''.join(__import__('sys').stdin)"],
)  # fmt: skip
def test_every_way_to_read_stdin_works(pool: Any, reading: str) -> None:
    assert run(pool, f"print({reading}, end='')", stdin=b"a\nb\n").stdout == b"a\nb\n"


def test_large_input_and_output_cross_whole(pool: Any) -> None:
    data = bytes(range(1, 127)) * 8000
    raw = run(pool, "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", stdin=data)
    assert raw.stdout == data


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("exit()", "ok", 0),
        ("raise SystemExit(3)", "error", 3),
        ("import os; os._exit(125)", "error", 125),
        ("1 / 0", "error", 1),
        ("x = (", "compile_error", 1),
        ("\0", "compile_error", 1),
        ("import os; os.kill(os.getpid(), 9)", "error", None),
    ],
)
def test_ends_are_told_apart(pool: Any, code: str, status: str, exit_code: int | None) -> None:
    raw = run(pool, code)
    assert (raw.status, raw.exit) == (status, exit_code)


def test_a_traceback_names_the_programs_own_lines(pool: Any) -> None:
    stderr = run(pool, "def f():\n    return [][1]\nf()\n").stderr.decode()
    assert 'File "solution.py", line 2, in f' in stderr
    assert stderr.rstrip().endswith("IndexError: list index out of range")
    assert "harness_runner" not in stderr


@pytest.mark.parametrize(
    ("code", "status", "limits"),
    [
        ("while True: pass", "time_limit", {"cpu_seconds": 0.5}),
        ("import time; time.sleep(60)", "time_limit", {"wall_seconds": 0.5}),
        ("x = bytearray(1 << 30)", "memory_limit", {}),
        ("print('x' * 2000)", "output_limit", {"output_bytes": 1000}),
    ],
)
def test_limits_end_a_program(pool: Any, code: str, status: str, limits: dict[str, Any]) -> None:
    raw = run(pool, code, **limits)
    assert raw.status == status
    assert len(raw.stdout) <= 1 << 20


def test_as_much_output_as_is_allowed_is_kept(pool: Any) -> None:
    raw = run(pool, "print('x' * 999)", output_bytes=1000)
    assert (raw.status, len(raw.stdout)) == ("ok", 1000)


def test_calls_come_back_one_by_one(pool: Any) -> None:
    code = "def f(a, b):\n    if b == 0: raise ValueError('no')\n    return (a / b, {a: {b}})\n"
    raw = run(pool, code, entry_point="f", calls=[[6, 3], [1, 0], [(1), 2.0]])
    lines = [values.loads_outcome(line) for line in raw.result.splitlines()]
    assert lines == [
        {"loaded": True},
        {"ok": (2.0, {6: {3}})},
        {"error": "ValueError: no"},
        {"ok": (0.5, {1: {2.0}})},
    ]


def test_calls_before_the_one_that_hangs_are_kept(pool: Any) -> None:
    code = "class Solution:\n    def f(self, n):\n        while n == 2: pass\n        return n\n"
    raw = run(pool, code, entry_point="f", calls=[[0], [1], [2], [3]], cpu_seconds=0.5)
    assert raw.status == "time_limit"
    assert [values.loads_outcome(line) for line in raw.result.splitlines()][1:] == [{"ok": 0}, {"ok": 1}]


def test_the_time_limit_is_of_each_call(pool: Any) -> None:
    code = "import time\ndef f(n):\n    time.sleep(1)\n    return n\n"
    raw = run(pool, code, entry_point="f", calls=[[n] for n in range(4)], wall_seconds=3.5)
    assert raw.status == "ok"
    assert raw.wall_s > 3.5


def test_test_code_calls_the_program_from_another_process(pool: Any) -> None:
    tests = "f = __solution__['f']\nassert f(2) == 4\nassert f(x=3) == 6\n"
    how = {"names": ["f"], "token": "t0k3n"}
    raw = run(pool, "def f(x): return 2 * x", tests=tests, **how)
    assert (raw.status, raw.result) == ("ok", b"t0k3n 0\n"), "no assertion of these tests is counted"
    raw = run(pool, "def f(x): return 5", tests=tests, **how)
    assert (raw.status, raw.result) == ("error", b"")
    assert b"AssertionError" in raw.stderr


def test_a_program_cannot_end_or_read_the_tests_that_call_it(pool: Any) -> None:
    code = """
import gc, glob, os

def f(x):
    for path in glob.glob("/proc/[0-9]*/mem") + glob.glob("/proc/[0-9]*/environ"):
        try:
            if str(os.getpid()) not in path and open(path, "rb").read(1):
                return "read " + path
        except OSError:
            pass
    token = b"tests" + b":" + b"token"
    for found in gc.get_objects():
        if isinstance(found, (bytes, bytearray)) and bytes(token) in found:
            return "token"
    for process in [p for p in os.listdir("/proc") if p.isdigit() and p != str(os.getpid())]:
        try:
            os.kill(int(process), 9)
        except OSError:
            pass
    return 4
"""
    tests = "f = __solution__['f']\nassert f(2) == 4, f(2)\n"
    raw = run(pool, code, tests=tests, names=["f"], token="tests:token")
    if pool.kind == "bubblewrap":
        # One uid for both: it may kill what calls it, which fails it.
        assert raw.status == "error"
    else:
        assert (raw.status, raw.stderr) == ("ok", b"")


def test_no_job_sees_our_environment_or_files(pool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os, json; print(json.dumps([dict(os.environ), os.listdir('/'), os.listdir('/tmp')]))"
    environment, root, tmp = json.loads(run(pool, code).stdout)
    assert set(environment) <= {
        "PATH", "HOME", "HOSTNAME", "LANG", "PWD", "PYTHONHASHSEED", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"
    }  # fmt: skip
    assert not {"root", "home", "work", "var"} & set(root)
    assert tmp == []


def test_the_order_of_a_set_is_the_same_every_time(pool: Any) -> None:
    code = "print({'a', 'b', 'c', 'd', 'e'})"
    assert run(pool, code).stdout == run(pool, code).stdout


def test_random_numbers_are_not_the_same_every_time(pool: Any) -> None:
    code = "import random; print(random.random())"
    assert run(pool, code).stdout != run(pool, code).stdout


def test_a_job_that_asks_for_more_memory_than_there_is_is_refused(pool: Any) -> None:
    with pytest.raises(SandboxError, match=r"asks for 4096 MiB[\s\S]*at most memory_mb = 512"):
        run(pool, "", memory_mb=4096)
