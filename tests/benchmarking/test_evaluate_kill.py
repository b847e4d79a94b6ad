"""An evaluation that is killed at any moment loses nothing, and asks again only for what is missing."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.evaluations import LEDGER, evaluate, lines, math500_rows, write_rows

pytest.importorskip("math_verify")

SAMPLES = 8
ENGINE = [
    "--engine", "echo", "--set", 'tasks=[{name="hub", benchmark="math500"}]', "--set", "right=0.5",
    "--set", 'wrong="it is \\\\boxed{-1}"', "--set", 'form="it is \\\\boxed{{}}"',
]  # fmt: skip


def start(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    environment = {"HARNESS_DATA": str(home / "data"), "HARNESS_CACHE": str(home / "cache")}
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments], cwd=home, env={**os.environ, **environment},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def kill_when_grown(process: subprocess.Popen[bytes], ledger: Path, size: int) -> bool:
    """Kill at the moment the ledger has grown to `size` bytes; False when the process was faster."""
    deadline = time.monotonic() + 120
    while process.poll() is None:
        if ledger.exists() and ledger.stat().st_size >= size:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        assert time.monotonic() < deadline, "the evaluation neither grows nor ends"
        time.sleep(0.001)
    return False


def sample_keys(folder: Path) -> list[tuple[str, int]]:
    return [
        (line["rollout"]["key"]["task"], line["rollout"]["key"]["sample"]) for line in lines(folder, "sample")
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_killing_loses_nothing_and_nothing_is_asked_twice(tmp_path: Path, seed: int) -> None:
    write_rows(tmp_path / "data", math500_rows())
    rng = random.Random(seed)
    whole = tmp_path / "unbroken"
    arguments = [
        "eval",
        "m",
        "-b",
        "math500",
        "--profile",
        "greedy-smoke",
        "--samples",
        str(SAMPLES),
        *ENGINE,
    ]
    evaluate(tmp_path, *arguments, "--runs", str(whole))
    unbroken = whole / "m-greedy-smoke-1"
    full = (unbroken / LEDGER).stat().st_size

    process = start(tmp_path, *arguments)
    folder = tmp_path / "runs" / "m-greedy-smoke-1"
    ledger = folder / LEDGER
    kills = 0
    for share in sorted(rng.uniform(0.0, 0.95) for _ in range(4)):
        kills += kill_when_grown(process, ledger, int(share * full))
        before = ledger.read_bytes() if ledger.exists() else b""
        process = start(tmp_path, "eval", "--resume", str(folder))
        while process.poll() is None and ledger.exists() and ledger.stat().st_size <= len(before):
            time.sleep(0.002)
        kept = before[: before.rfind(b"\n") + 1]
        assert ledger.read_bytes().startswith(kept), "every whole line is kept"
    process.wait()
    assert kills >= 2
    said = evaluate(tmp_path, "eval", "--resume", str(folder))
    assert "generating" not in said or re.search(r"generating \d+ samples", said)

    keys = sample_keys(folder)
    assert len(keys) == len(set(keys)) == 500 * SAMPLES, "nothing is missing, and nothing was asked twice"
    reports = [json.loads(evaluate(tmp_path, "report", str(f), "--json")) for f in (folder, unbroken)]
    scores = [r["benchmarks"]["math500"]["scores"] for r in reports]
    assert scores[0] == scores[1], "the broken run ends where the unbroken one does"


def test_a_judgement_that_is_killed_goes_on(tmp_path: Path) -> None:
    write_rows(tmp_path / "data", math500_rows())
    evaluate(tmp_path, "eval", "m", "-b", "math500", "--profile", "greedy-smoke", "--samples", "8", *ENGINE)
    folder = tmp_path / "runs" / "m-greedy-smoke-1"
    size = (folder / LEDGER).stat().st_size
    process = start(tmp_path, "score", str(folder), "--set", "extraction=boxed")
    killed = kill_when_grown(process, folder / LEDGER, size + 100_000)
    there = len(lines_up_to_torn(folder))
    said = evaluate(tmp_path, "score", str(folder), "--set", "extraction=boxed")
    assert "scoring 1" in said
    judged = [(v["task"], v["sample"]) for v in lines(folder, "verdict")]
    assert len(judged) == len(set(judged)) == 4000
    assert not killed or 0 < there < 4000


def lines_up_to_torn(folder: Path) -> list[bytes]:
    raw = (folder / LEDGER).read_bytes()
    return [line for line in raw[: raw.rfind(b"\n") + 1].splitlines() if line.startswith(b'{"t":"verdict"')]
