"""A benchmark's folder and evaluations of it, as a user would run them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.runs import harness

LEDGER = "main/seed-0/ledger.jsonl"


def math500_rows() -> list[dict[str, Any]]:
    """500 rows in MATH-500's form; problem i is right with answer i."""
    return [
        {"id": f"math500-{i:03d}", "problem": f"What is {i} + 0?", "answer": str(i), "level": i % 5 + 1,
         "subject": "Algebra" if i % 2 else "Geometry"}
        for i in range(500)
    ]  # fmt: skip


def write_rows(data: Path, rows: list[dict[str, Any]], name: str = "math500") -> Path:
    """`rows` as the data folder's file of a benchmark; returns the data folder."""
    (data / "benchmarks").mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (data / "benchmarks" / f"{name}.jsonl").write_text(text)
    return data


def evaluate(cwd: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    """`harness ...` with the data folder below `cwd`; returns both outputs, the exit code checked."""
    done = harness(*arguments, cwd=cwd, HARNESS_DATA=str(cwd / "data"), **environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def report(cwd: Path, folder: str, *arguments: str, code: int = 0) -> dict[str, Any]:
    """What `harness report FOLDER --json` prints on standard output."""
    done = harness("report", folder, *arguments, "--json", cwd=cwd, HARNESS_DATA=str(cwd / "data"))
    assert done.returncode == code, done.stdout + done.stderr
    values: dict[str, Any] = json.loads(done.stdout)
    return values


def echo(answer: str = "\\boxed{3}", **options: str) -> list[str]:
    """Engine options that answer everything alike."""
    return ["--engine", "echo", "--set", f"text={json.dumps(answer)}"]


def lines(folder: Path, kind: str = "") -> list[dict[str, Any]]:
    """A ledger's lines, of one type if it is named."""
    parsed = [json.loads(line) for line in (folder / LEDGER).read_text().splitlines()]
    return [line for line in parsed if not kind or line["t"] == kind]
