"""Killing runs with SIGKILL at random moments loses nothing and changes no number."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness.recording import ledger
from tests.support.recipes import SIM, TORCH, TRL, write
from tests.support.runs import first_difference, make_study, numbers, start_arm


def uninterrupted(study: Path) -> Path:
    process = start_arm(study)
    assert process.wait(timeout=300) == 0, (study / "main/seed-0/log.txt").read_text()
    return study / "main" / "seed-0"


def kill_when(process: subprocess.Popen[bytes], path: Path, size: int) -> bool:
    """Kill the process as soon as the ledger has `size` bytes; False when it ended before that."""
    while process.poll() is None:
        if path.exists() and path.stat().st_size >= size:
            process.send_signal(signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.0005)
    return False


def done_lines(path: Path) -> list[str]:
    """What the ledger reports as done, by name; a prefix of it must survive everything."""
    done = []
    for line in ledger.read(path):
        if line["t"] == "labels":
            done.append(f"labels {line['stage']}")
        elif line["t"] == "stage_finished":
            done.append(f"stage {line['stage']}")
        elif line["t"] == "evaluation" and line["name"] != "inside":
            done.append(f"evaluation {line['name']} {line['stage']}")
    return done


@pytest.mark.parametrize(
    ("recipe", "kills", "seed"),
    [(SIM, 9, 1), (SIM, 9, 2), (SIM, 9, 3), (SIM, 9, 4), (TORCH, 4, 5), (TRL, 2, 6)],
    ids=["sim-1", "sim-2", "sim-3", "sim-4", "torch", "trl"],
)
def test_a_run_killed_again_and_again_ends_with_the_same_numbers(
    tmp_path: Path, recipe: str, kills: int, seed: int
) -> None:
    if recipe is TRL:
        pytest.importorskip("trl", reason="needs the extra 'trl'")
    path = write(tmp_path, recipe)
    whole = uninterrupted(make_study(path, tmp_path / "whole").folder)
    expected = numbers(whole)
    assert len([line for line in expected if line["t"] == "step"]) >= 8

    study = make_study(path, tmp_path / "killed").folder
    file = study / "main" / "seed-0" / "ledger.jsonl"
    length = (whole / "ledger.jsonl").stat().st_size
    rng = random.Random(seed)
    moments = sorted(rng.randrange(length) for _ in range(kills))
    grown = 0
    for moment in moments:
        before = done_lines(file) if file.exists() else []
        # Work that is done again makes the file longer than an unbroken one's, by what was redone.
        size = max(moment + grown, file.stat().st_size + 1 if file.exists() else 0)
        assert kill_when(start_arm(study), file, size), "the run ended before it could be killed"
        after = done_lines(file)
        assert after[: len(before)] == before
        grown = max(grown, file.stat().st_size - moment)
    assert first_difference(numbers(uninterrupted(study)), expected) is None
