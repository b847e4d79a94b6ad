"""Running the harness as a user does: as a process, which tests may kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.running.study import Study, create, open_study
from harness.testing import Recorded


def harness(
    *arguments: str, cwd: Path, seconds: float = 300, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=cwd,
        env={**os.environ, "HARNESS_CACHE": str(cwd / "cache"), **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@contextmanager
def interrupts(handler: Any) -> Iterator[None]:
    """Let processes that are started inside have SIGINT so (`signal.SIG_IGN`, or `signal.SIG_DFL` as at a
    prompt), whatever this one inherited: tests that a script starts in the background ignore it.
    """
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def make_study(recipe: Path, root: Path) -> Study:
    """A study's folder, with nothing run yet."""
    from harness.planning.plan import make_plans
    from harness.plugging.plugins import load
    from harness.recipe import load_recipe

    file = load_recipe(recipe)
    return create(file, make_plans(file, load()), root, (), ())


def start_arm(study: Path, arm: str = "main", seed: int = 0) -> subprocess.Popen[bytes]:
    """Start one run of a study as `harness run` would; its standard input must stay open."""
    folder = open_study(study).run_folder(arm, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "harness", "run-arm", str(study), arm, str(seed), "--attached"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HARNESS_CACHE": str(study.parent / "cache")},
        )


def numbers(run: Path) -> list[Any]:
    """What a run found, in order, without times: two runs that did the same have equal numbers."""
    return Recorded(run).numbers()


def first_difference(one: Any, other: Any, path: str = "") -> str | None:
    """Where two values differ first, in one short line; None when they are equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            difference = first_difference(one.get(key), other.get(key), f"{path}.{key}")
            if difference:
                return difference
        return None
    if isinstance(one, list) and isinstance(other, list):
        for i, (a, b) in enumerate(zip(one, other, strict=False)):
            difference = first_difference(a, b, f"{path}[{i}]")
            if difference:
                return difference
        return None if len(one) == len(other) else f"{path}: {len(one)} entries and {len(other)}"
    return None if one == other else f"{path}: {str(one)[:200]} and {str(other)[:200]}"
