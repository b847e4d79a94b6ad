"""Running the harness as a user does: as a process, which tests may kill."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness import ledger
from harness.study import Study, create, open_study


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


def make_study(recipe: Path, root: Path) -> Study:
    """A study's folder, with nothing run yet."""
    from harness.plan import make_plans
    from harness.plugins import load
    from harness.recipe import load_recipe

    file = load_recipe(recipe)
    return create(file, make_plans(file, load()), root, (), ())


def start_arm(study: Path, arm: str = "main", seed: int = 0) -> subprocess.Popen[bytes]:
    """Start one run of a study as `harness run` would; its standard input must stay open."""
    folder = open_study(study).run_folder(arm, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "harness", "run-arm", str(study), arm, str(seed)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "HARNESS_CACHE": str(study.parent / "cache")},
        )


def numbers(run: Path) -> list[Any]:
    """What a run found, in order, without times: two runs that did the same have equal numbers."""
    kinds = {"labels", "stage_started", "step", "evaluation", "stage_finished", "finished"}
    return [without_times(line) for line in ledger.read(run / "ledger.jsonl") if line["t"] in kinds]


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if not k.endswith("seconds") and k != "at"}
    if isinstance(value, list):
        return [without_times(v) for v in value]
    return value


def first_difference(one: Any, other: Any, path: str = "") -> str | None:
    """Where two values differ first, in one short line; None when they are equal."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            found = first_difference(one.get(key), other.get(key), f"{path}.{key}")
            if found:
                return found
        return None
    if isinstance(one, list) and isinstance(other, list):
        for i, (a, b) in enumerate(zip(one, other, strict=False)):
            found = first_difference(a, b, f"{path}[{i}]")
            if found:
                return found
        return None if len(one) == len(other) else f"{path}: {len(one)} entries and {len(other)}"
    return None if one == other else f"{path}: {str(one)[:200]} and {str(other)[:200]}"
