"""Programs end to end: generated or taken in, judged in a real sandbox, scored, judged again, kept apart."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from harness_benchmarks.benchmark import CatalogueBenchmark
from harness_benchmarks.catalogue import ENTRIES
from harness_benchmarks.options import BenchmarkOptions

from harness.contract.protocols import BuildContext
from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling, encode
from tests.support.data import data_folder
from tests.support.evaluations import evaluate, lines
from tests.support.sandboxes import build_context, contained

WINDOW = "livecodebench-v5-public@2024-08-01..2025-02-01"
PROBLEMS = 12


@pytest.fixture
def home(tmp_path: Path) -> Path:
    data = data_folder()
    for name in ("code/lcb_v6_problems.jsonl", "outputs/lcb_qwen2.5-7b-instruct.jsonl.gz"):
        if not (data / name).is_file():
            pytest.skip(f"no {data / name}")
    (tmp_path / "data").symlink_to(data)
    return tmp_path


def walls(domain: str) -> list[str]:
    """A small sandbox of the kind that this machine has."""
    settings = {"name": f'"{contained()}"', "slots": "2", "memory_mb": "1024"}
    options = [f"domains.{domain}.verifier.sandbox.{key}={value}" for key, value in settings.items()]
    return [word for setting in options for word in ("--override", setting)]


def take_in(home: Path) -> str:
    return evaluate(
        home, "score", "--import", "data/outputs/lcb_qwen2.5-7b-instruct.jsonl.gz", "-b", WINDOW, "--profile",
        "lcb-chat", "--limit", str(PROBLEMS), "--skip-others", *walls("livecodebench"),
        "--override", "domains.livecodebench.verifier.seconds=1.5",
    )  # fmt: skip


def test_recorded_programs_are_scored_and_scored_again_by_the_other_grader(home: Path) -> None:
    said = take_in(home)
    assert "rows answer problems that are not asked" in said
    assert "lcb-strict" in said
    run = "runs/lcb_qwen2.5-7b-instruct-lcb-chat-1"
    strict = json.loads(evaluate(home, "report", run, "--json"))
    scores = strict["benchmarks"][WINDOW]
    assert scores["problems"] == scores["samples"] == PROBLEMS
    assert scores["facts"]["origin"]["tests"] == "public"
    assert {tag.partition("=")[0] for tag in scores["groups"]} == {"difficulty", "platform", "errata"}
    assert "pass@1" in scores["scores"]
    assert not any(name.startswith("maj@") for name in scores["scores"])

    shutil.copytree(home / run, home / "runs" / "as-it-was")
    kind = json.dumps(contained())
    again = [
        "score",
        run,
        "--verifier",
        "lcb-reference",
        "--set",
        f"sandbox.name={kind}",
        "--set",
        "seconds=1.5",
    ]
    assert "scoring 1" in evaluate(home, *again)
    reference = json.loads(evaluate(home, "report", run, "--json"))
    assert set(reference["verifiers"]) == {"lcb-reference"}
    kept = json.loads(evaluate(home, "report", run, "--scoring", "0", "--json"))
    assert kept["verifiers"] == strict["verifiers"]

    (home / "source.toml").write_text(
        'title = "Programs"\nurl = "https://example.org/p"\nlicence = "MIT"\n'
        "retrieved = 2026-11-30\nunknown = []\n"
    )
    for folder in ("runs/as-it-was", run, "runs/as-it-was"):
        evaluate(home, "board", "add", folder, "--source", "source.toml")
    entries = [json.loads(path.read_text()) for path in (home / "leaderboards").rglob("entries/*.json")]
    assert sorted(name for entry in entries for name in entry["verifiers"]) == ["lcb-reference", "lcb-strict"]
    evaluate(home, "board", "build", "--out", "site")
    page = next((home / "site").rglob("*.html")).read_text()
    assert page.count("<table") >= 2, "a table for each grader"
    refused = evaluate(home, "compare", "runs/as-it-was", run, code=2)
    assert "their verifiers differ" in refused


def test_rows_of_other_problems_are_refused_unless_they_may_be_left_out(home: Path) -> None:
    rows = [{"question_id": "2727", "output_list": ["```python\nx\n```"]}]
    (home / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = ["score", "--import", "rows.jsonl", "-b", WINDOW, "--profile", "lcb-chat"]
    assert "no problem is named '2727'" in evaluate(home, *given, code=2)
    assert "holds no answer" in evaluate(home, *given, "--skip-others", code=2)


def test_a_benchmark_without_parts_says_so(home: Path) -> None:
    said = evaluate(home, "eval", "m", "-b", "mbpp@first", "--engine", "echo", "--set", 'text="x"',
                    "--profile", "greedy-smoke", code=2)  # fmt: skip
    assert "part" in said


def recorded(name: str, context: BuildContext, count: int) -> list[Rollout]:
    """Reference solutions as a model's answers; the last one gives None."""
    tasks = CatalogueBenchmark(ENTRIES[name], BenchmarkOptions(source="local"), context).tasks()[:count]
    programs = [task.meta["solution"] for task in tasks]
    programs[-1] = f"def {tasks[-1].answer['entry_point']}(*_):\n    return None"
    return [
        Rollout(
            key=RolloutKey("", "eval", name, 0, task.id, 0), prompt_ids=(), completion_ids=(),
            text=f"Here it is:\n```python\n{program}\n```", finish="stop",
            policy=PolicyRef(weights_sha="0"), sampling=Sampling(),
        )
        for task, program in zip(tasks, programs, strict=True)
    ]  # fmt: skip


def test_humaneval_and_mbpp_are_judged_by_their_asserts(home: Path) -> None:
    context = replace(build_context(), data=home / "data")
    rollouts = [rollout for name in ("humaneval", "mbpp") for rollout in recorded(name, context, 4)]
    (home / "recorded.jsonl").write_bytes(b"".join(encode(rollout) + b"\n" for rollout in rollouts))
    said = evaluate(
        home, "eval", "solutions", "-b", "humaneval,mbpp", "--profile", "greedy-smoke", "--limit", "4",
        "--engine", "replay", "--set", 'path="recorded.jsonl"', "--set", 'match="sample"', *walls("code"),
    )  # fmt: skip
    assert said.count("75.0\u2009%") == 2
    samples = lines(home / "runs" / "solutions-greedy-smoke-1", "sample")
    assert {s["verdict"]["verifier"] for s in samples} == {"code"}
    assert sorted(s["verdict"]["status"] for s in samples if s["heldout"] == "humaneval")[1:] == ["pass"] * 3
