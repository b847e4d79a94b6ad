"""Evaluations through the command: placed by few problems, and routed, with the decisions in the ledger."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness.statistics.irt import Ability, Item, Scale, write_scale

pytest.importorskip("math_verify", reason="the benchmark is judged by the verifier math")

ASKED = ["eval", "m", "-b", "sums.jsonl", "--profile", "greedy-smoke"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Forty sums, from easy to hard on a scale."""
    rows = [{"id": f"s{i}", "problem": f"{i}+1=", "answer": str(i + 1)} for i in range(40)]
    (tmp_path / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    items = {f"s{i}": Item(2.0, -2 + i / 10) for i in range(40)}
    abilities = {"small": Ability(-1.0, 0.1, 4.0), "large": Ability(1.0, 0.1, 8.0)}
    write_scale(Scale(items, abilities), tmp_path / "scale.json")
    return tmp_path


def harness(cwd: Path, *words: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "harness", *words], cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


#: Answers of the first twenty sums are right: the ability is where the twentieth stands, at 0.
ANSWERS = ", ".join(f'"s{i}"="{i + 1 if i < 20 else -1}"' for i in range(40))
OF_TWENTY = ["--engine", "echo", "--set", f"answers={{{ANSWERS}}}", "--set", 'form="\\\\boxed{{}}"']
#: Placed on the scale, as well as this standard error says.
PLACED = [
    "--adaptive", "irt-2pl", "--adaptive-set", "scale=scale.json",
    "--adaptive-set", "se=0.3",
]  # fmt: skip


def lines(cwd: Path, kind: str) -> list[dict]:
    ledger = cwd / "runs" / "m-greedy-smoke-1" / "main" / "seed-0" / "ledger.jsonl"
    return [line for line in map(json.loads, ledger.read_text().splitlines()) if line["t"] == kind]


def test_a_model_is_placed_as_well_as_asked_by_some_of_the_problems(home):
    harness(home, *ASKED, *OF_TWENTY, *PLACED)
    (placement,) = lines(home, "placement")
    told = placement["scores"]
    assert told["se"] <= 0.3
    assert told["asked"] < 40
    assert abs(told["theta"]) < 0.5
    assert abs(told["predicted"] - 0.5) < 0.15


def test_a_placement_shares_no_column_with_full_scores(home):
    """The board takes the evaluation over all problems, and refuses the one that chose its own."""
    harness(home, *ASKED, *OF_TWENTY, *PLACED)
    harness(home, *ASKED, *OF_TWENTY)
    placed, full = "runs/m-greedy-smoke-1", "runs/m-greedy-smoke-2"
    said = harness(home, "board", "add", placed, "--board", "sums", code=2)
    assert "an ability and no score: it stands on no board" in said
    harness(home, "board", "add", full, "--board", "sums")
    harness(home, "board", "build")
    (entry,) = (home / "leaderboards" / "sums" / "entries").glob("*.json")
    assert json.loads(entry.read_text())["score"]["value"] == 0.5
    said = harness(home, "compare", placed, full, code=2)
    assert "an ability and no score" in said


def test_a_routed_evaluation_says_who_answered_and_what_it_cost(home):
    configurations = ", ".join(
        f'{{name="{name}", engine={{name="echo", text="\\\\boxed{{7}}"}}, price={price}}}'
        for name, price in (("small", 1.0), ("large", 4.0))
    )
    harness(
        home, *ASKED, "--engine", "staged-harness-radar/router-of-models", "--set", "scale=scale.json",
        "--set", f"configurations=[{configurations}]", "--set", "weight=0.7",
    )  # fmt: skip
    sources = {line["rollout"]["key"]["task"]: line["rollout"]["source"] for line in lines(home, "sample")}
    assert sources["s0"] == "small"
    assert set(sources.values()) == {"small", "large"}
    assert all(line["rollout"]["cost"]["usd"] > 0 for line in lines(home, "sample"))
    run = "runs/m-greedy-smoke-1"
    name = "staged-harness-radar/hypervolume"
    said = harness(home, "report", run, "--metric", name, "--set", f"{name}.cost=usd")
    assert "share/small" in said
    said = harness(
        home, "staged-harness-radar/radar", "front", "--run", f"routed={run}", "--out", "front.svg"
    )
    assert "hypervolume" in said
    assert (home / "front.svg").is_file()
