"""Hostile programs: every one is contained and judged rightly, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from harness_code import corpus
from harness_sandbox.canary import Canary
from harness_sandbox.local import LocalLauncher, UnsafeOptions
from harness_sandbox.pool import SandboxPool

from harness.contract.errors import DataError
from tests.support.data import data_folder
from tests.support.sandboxes import CANARIES, CONTAINED, sandbox


def _check(kind: str, folder: Path) -> None:
    programs = corpus.load(folder)

    async def everything(stack: ExitStack) -> list[corpus.Finding]:
        canary = stack.enter_context(Canary())
        pools = [stack.enter_context(sandbox(kind)) for _ in range(2)]
        return [finding async for finding in corpus.run(programs, pools, canary)]

    with ExitStack() as stack:
        findings = asyncio.run(everything(stack))
    assert len(findings) == len(programs)
    assert {f.program.name: f.faults for f in findings if f.faults} == {}


@pytest.mark.parametrize("kind", CONTAINED)
def test_our_own_hostile_programs_are_contained(kind: str) -> None:
    _check(kind, CANARIES)


@pytest.mark.parametrize("kind", CONTAINED)
def test_the_corpus_beside_the_real_data_is_contained(kind: str) -> None:
    folder = data_folder().parent / "hostile"
    if not folder.is_dir():
        pytest.skip(f"no corpus at {folder}")
    _check(kind, folder)


def test_without_walls_the_check_finds_fault() -> None:
    """The after-checks can fail: programs of ours that reach for the bait are found out where nothing
    holds them, by each of the checks."""
    answer = "a, b = map(int, input().split()); print(a + b)\n"
    key = (
        "import glob, json\n"
        "print(json.load(open(glob.glob('/tmp/harness-canary-*/expected.json')[0]))[input()])\n"
    )
    connect = "import socket; socket.create_connection(('127.0.0.1', 48123)).close()\n" + answer
    programs = [
        corpus.Program("secret", "import os; print(os.environ)", frozenset({"runtime_error"}), "stdin", ""),
        corpus.Program("key", key, frozenset({"wrong_answer"}), "stdin", ""),
        corpus.Program("listener", connect, frozenset({"pass"}), "stdin", ""),
    ]

    async def everything() -> dict[str, str]:
        with Canary() as canary, SandboxPool(Leaky(), UnsafeOptions(slots=1)) as pool:
            return {f.program.name: " ".join(f.faults) async for f in corpus.run(programs, [pool], canary)}

    faults = asyncio.run(everything())
    assert "verdict wrong_answer" in faults["secret"]
    assert "the host's secret" in faults["secret"]
    assert "verdict pass" in faults["key"]
    assert "connections reached the host" in faults["listener"]


class Leaky(LocalLauncher):
    """As `unsafe-local`, and with our environment."""

    def environment(self) -> dict[str, str]:
        return dict(os.environ)


@pytest.mark.parametrize(
    "first", ["print(1)", "# verdict: passed", "# verdict: passed ; mode: other ; threat: x"]
)
def test_a_program_without_its_first_line_is_refused(tmp_path: Path, first: str) -> None:
    (tmp_path / "program.py").write_text(first)
    with pytest.raises(DataError, match="first line"):
        corpus.load(tmp_path)
