"""Exchanges with a server: what one side packs the other unpacks; what a program might forge is refused."""

from __future__ import annotations

import json
import math
import struct

import pytest
from harness_runner import frames, seccomp, values
from harness_runner.calls import outcome
from harness_runner.seccomp import program
from harness_sandbox import exchange
from harness_sandbox.channel import ChannelError
from hypothesis import given
from hypothesis import strategies as st

numbers = st.booleans() | st.integers() | st.floats(allow_nan=False) | st.complex_numbers(allow_nan=False)
scalars = st.none() | numbers | st.text() | st.binary()
hashable = st.recursive(scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner), max_leaves=4)
containers = (st.lists, lambda inner: st.tuples(inner, inner), lambda inner: st.dictionaries(hashable, inner))
plain = st.recursive(
    scalars | st.sets(hashable), lambda inner: st.one_of(*[of(inner) for of in containers]), max_leaves=12
)


@given(plain)
def test_values_come_back_as_they_were(value: object) -> None:
    told = values.loads_outcome(outcome(lambda: value))["ok"]
    assert told == value
    assert type(told) is type(value)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, 1 << 100_000, -(1 << 100_000)],
    ids=["nan", "inf", "-inf", "long", "-long"],
)
def test_numbers_that_json_does_not_have_come_back(value: float) -> None:
    told = values.loads_outcome(outcome(lambda: value))["ok"]
    assert type(told) is type(value)
    assert told == value or (math.isnan(value) and math.isnan(told))


def test_classes_of_the_programs_making_do_not_cross() -> None:
    class Equal(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Other:
        def __repr__(self) -> str:
            return "42"

    assert type(values.unpack(values.pack(Equal(3)))) is int
    opaque = values.unpack(values.pack([Other()]))[0]
    assert opaque not in ("42", 42, "Other", Other())


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[",
        b"3",
        b'{"ok":NaN}',
        b'{"ok":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"ok":' + b"[" * 100_000,
        b'{"ok":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"ok":{"!":"eval","v":"1"}}',
        b'{"ok":{"!":"dict","v":[1]}}',
        b'{"ok":{"!":"set","v":[[]]}}',
        b'{"ok":{"!":"int","v":"zz"}}',
        b'{"ok":{"!":"float","v":"1e99999999999999999999999999999999999999999"}}',
        b'{"ok":{"a":1}}',
        b"\xff\xfe",
        b'{"ok":"\\ud800',
    ],
    ids=lambda line: line[:24].hex(),
)
def test_what_is_not_ours_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any ValueError is the contract
        values.loads_outcome(line)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(line: bytes) -> None:
    try:
        values.loads_outcome(line)
    except ValueError:
        return


parts = st.dictionaries(st.sampled_from(["code", "stdin", "plan"]), st.binary(max_size=500))


@given(parts, st.integers(1, 7))
def test_frames_come_back_whatever_the_chunks(given: dict[str, bytes], chunk: int) -> None:
    data = memoryview(b"".join(bytes(b) for b in frames.pack({"op": "run", "n": 1}, given)))
    at = 0

    def read(view: memoryview) -> int:
        nonlocal at
        count = min(chunk, len(view), len(data) - at)
        view[:count] = data[at : at + count]
        at += count
        return count

    frame = frames.read_header(read)
    assert frame is not None
    header, length = frame
    body = bytearray(length)
    assert frames.read_exactly(read, memoryview(body)) == length
    told = {name: bytes(part) for name, part in frames.slices(header, memoryview(body)).items()}
    assert told == {name: part for name, part in given.items() if part}
    assert frames.read_header(read) is None


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0",
        frames.PREFIX.pack(1 << 31, 0),
        frames.PREFIX.pack(4, 0) + b"{}",
        frames.PREFIX.pack(2, 0) + b"{}",
        frames.PREFIX.pack(12, 0) + b'{"parts":[]}',
        frames.PREFIX.pack(18, 2) + b'{"parts":{"a":-1}}',
        frames.PREFIX.pack(17, 2) + b'{"parts":{"a":1}}',
    ],
)
def test_frames_that_nobody_of_ours_sends_are_refused(data: bytes) -> None:
    rest = memoryview(data)

    def read(view: memoryview) -> int:
        nonlocal rest
        count = min(len(view), len(rest))
        view[:count] = rest[:count]
        rest = rest[count:]
        return count

    with pytest.raises(frames.FrameError):
        frames.read_header(read)


def test_arguments_travel_as_json() -> None:
    assert json.loads(json.dumps(values.pack([(1, {2}), {"a": None}])))


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_refuses_what_its_table_names_and_nothing_else(machine: str) -> None:
    code = program(machine)
    lines = [struct.unpack_from("HBBI", code, at) for at in range(0, len(code), 8)]
    column, audit, clone = seccomp._ARCHITECTURES[machine]
    allowed, refused, unknown, killed = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
    named = {pair[column] for pair in seccomp._REFUSED.values()} - {None}
    assert len(named) > 50
    for number in range(600):
        expected = unknown if number == 435 else refused if number in named else allowed
        assert filtered(lines, number, audit, 0) == expected, number
    for flag in (0x80, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000, 0x00020000):
        assert filtered(lines, clone, audit, flag | 17) == refused
    assert filtered(lines, clone, audit, 17) == allowed
    assert filtered(lines, 0, audit ^ 1, 0) == filtered(lines, 0x40000000, audit, 0) == killed


def filtered(lines: list[tuple[int, int, int, int]], number: int, audit: int, argument: int) -> int:
    """What the kernel would do: runs the filter on a system call."""
    words, at, word = {0: number, 4: audit, 16: argument}, 0, 0
    while True:
        operation, yes, no, value = lines[at]
        at += 1
        match operation:
            case 0x20:
                word = words[value]
            case 0x06:
                return value
            case _:
                holds = {0x15: word == value, 0x35: word >= value, 0x45: bool(word & value)}[operation]
                at += yes if holds else no


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(OSError, match="no system call numbers for riscv"):
        program("riscv")


@pytest.mark.parametrize(
    "change", [{"exit": "0"}, {"status": 3}, {"wall_s": None}, {"strays": [1]}, {"spent_s": "x"}]
)
def test_an_answer_that_no_server_gives_is_refused(change: dict[str, object]) -> None:
    """A program that got at the server it ran in may say anything."""
    answer = {
        "status": "exited",
        "exit": 0,
        "wall_s": 0.1,
        "cpu_s": 0.1,
        "peak_mb": 1.0,
        "signal": None,
        "strays": 0,
    }
    exchange.check(answer)
    with pytest.raises(ChannelError, match="none"):
        exchange.check(answer | change)
    with pytest.raises(ChannelError, match="wall_s"):
        exchange.check({name: value for name, value in answer.items() if name != "wall_s"})
