"""`harness eval`, `score`, `report`, `compare` and the board, as a user runs them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.readout import read_study
from tests.support.evaluations import LEDGER, echo, evaluate, lines, math500_rows, report, write_rows

pytest.importorskip("math_verify")

SMOKE = ["--profile", "greedy-smoke"]
#: Exit code of a score nearly all of whose samples have no answer.
UNANSWERED = 3


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_rows(tmp_path / "data", math500_rows())
    return tmp_path


def keys(folder: Path) -> list[tuple[str, str, int]]:
    return [
        (line["heldout"], line["rollout"]["key"]["task"], line["rollout"]["key"]["sample"])
        for line in lines(folder, "sample")
    ]


def test_more_samples_are_added_to_those_there_are(home: Path) -> None:
    said = evaluate(home, "eval", "m", "-b", "math500", "--limit", "6", "--samples", "2", *SMOKE, *echo())
    folder = home / "runs" / "m-greedy-smoke-1"
    assert re.search(r"math500 +6 +avg@2 +16\.7\s%", said)
    first = (folder / LEDGER).read_bytes()
    said = evaluate(home, "eval", "--resume", str(folder), "--samples", "5")
    assert "generating 18 samples" in said
    assert (folder / LEDGER).read_bytes().startswith(first), "nothing is rewritten"
    sampled = keys(folder)
    assert len(sampled) == len(set(sampled)) == 30
    seeds = {json.dumps(line["rollout"]["key"]) for line in lines(folder, "sample")}
    assert len(seeds) == 30, "every sample has its own key and thereby its own seed"
    assert "generating" not in evaluate(home, "eval", "--resume", str(folder))
    refused = evaluate(home, "eval", "--resume", str(folder), "--samples", "3", code=2)
    assert "allowed: 5 or more" in refused


def test_a_torn_ledger_goes_on_where_it_was_whole(home: Path) -> None:
    evaluate(home, "eval", "m", "-b", "math500", "--limit", "8", "--samples", "4", *SMOKE, *echo())
    folder = home / "runs" / "m-greedy-smoke-1"
    whole = (folder / LEDGER).read_bytes().splitlines(keepends=True)
    (folder / LEDGER).write_bytes(b"".join(whole[:11]) + whole[11][:57])
    report = evaluate(home, "report", str(folder), code=1)
    assert "no score for math500: 22 of 32 samples are missing" in report
    said = evaluate(home, "eval", "--resume", str(folder))
    assert "generating 22 samples" in said
    assert len(set(keys(folder))) == 32
    assert evaluate(home, "report", str(folder)).count("12.5\u2009%") >= 1


def test_damage_inside_a_ledger_is_refused(home: Path) -> None:
    evaluate(home, "eval", "m", "-b", "math500", "--limit", "3", *SMOKE, *echo())
    ledger = home / "runs" / "m-greedy-smoke-1" / LEDGER
    whole = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(whole[0] + whole[1][:40] + b"\n" + whole[2])
    assert "line 2 is damaged" in evaluate(home, "eval", "--resume", str(ledger.parents[2]), code=2)


def test_answers_are_judged_again_without_being_generated(home: Path) -> None:
    prose = "The number that is asked for is 3."
    evaluate(
        home, "eval", "m", "-b", "math500", "--limit", "6", "--profile", "r1-standard", *echo(prose),
        code=UNANSWERED,
    )  # fmt: skip
    folder = home / "runs" / "m-r1-standard-1"
    before = (folder / LEDGER).read_bytes()
    assert "100.0\u2009%" in evaluate(home, "report", str(folder), code=UNANSWERED), (
        "thinking that never ends is no answer"
    )
    said = evaluate(home, "score", str(folder), "--set", "thinking=none", "--set", "extraction=any")
    assert "scoring 1" in said
    assert re.search(r"math500 +6 +avg@4 +16\.7\s%", said)
    assert (folder / LEDGER).read_bytes().startswith(before)
    assert len(lines(folder, "sample")) == 24 == len(lines(folder, "verdict"))
    again = evaluate(home, "score", str(folder), "--set", "thinking=none", "--set", "extraction=any")
    assert "scoring 1" in again
    assert len(lines(folder, "verdict")) == 24, "the same judgement is not made twice"
    other = evaluate(home, "score", str(folder), "--verifier", "last-number")
    assert "scoring 2" in other
    original = report(home, str(folder), "--scoring", "0", code=UNANSWERED)
    assert original["benchmarks"]["math500"]["scores"]["no_answer"] == 1.0
    assert original["benchmarks"]["math500"]["scores"]["tail_not_extracted"] == pytest.approx(1 / 6)
    assert evaluate(home, "report", str(folder), "--scoring", "7", code=2).count("allowed: 0, 1, 2") == 1


def test_levels_subjects_and_intervals_are_reported(home: Path) -> None:
    evaluate(home, "eval", "m", "-b", "math500", "--limit", "10", "--samples", "2", *SMOKE, *echo())
    report = json.loads(evaluate(home, "report", "runs/m-greedy-smoke-1", "--json"))["benchmarks"]["math500"]
    assert report["groups"]["level=4"] == {"samples": 4, "passes": 2, "problems": 2}
    assert set(report["groups"]) == {f"level={i}" for i in range(1, 6)} | {
        "subject=Algebra",
        "subject=Geometry",
    }
    assert report["rerun"]["low"] < 0.1 < report["rerun"]["high"]
    assert report["benchmark"]["low"] < report["rerun"]["low"]
    assert report["benchmark"]["high"] > report["rerun"]["high"]
    assert report["scores"]["pass@2"] == pytest.approx(0.1)
    assert report["facts"]["version"] == "1-A"


def test_two_evaluations_are_compared_by_problem(home: Path) -> None:
    half = ["--engine", "echo", "--set", 'tasks=[{name="hub", benchmark="math500"}]', "--set", 'wrong="no"']
    for name, share in (("a", "0.1"), ("b", "0.9")):
        evaluate(home, "eval", name, "-b", "math500", "--limit", "40", "--samples", "4", *SMOKE, *half,
                 "--set", f"right={share}")  # fmt: skip
    said = evaluate(home, "compare", "runs/a-greedy-smoke-1", "runs/b-greedy-smoke-1", "--flips", "2")
    assert "B and A differ" in said
    assert re.search(r"A +\d+\.\d\s%, B +8\d\.\d\s%, B minus A \+[78]\d\.\d points", said), "the sign is said"
    assert "A: runs/a-greedy-smoke-1, a\nB: runs/b-greedy-smoke-1, b\n" in said
    assert re.search(r"gained: (3\d|40)", said)
    assert re.search(r"a difference of \d+\.\d points would have been seen", said)
    same = evaluate(home, "compare", "runs/a-greedy-smoke-1", "runs/a-greedy-smoke-1")
    assert "a tie" in same
    evaluate(home, "eval", "c", "-b", "math500", "--limit", "40", *echo("</think> 3"), "--samples", "1",
             code=UNANSWERED)  # fmt: skip
    refused = evaluate(home, "compare", "runs/a-greedy-smoke-1", "runs/c-r1-standard-1", code=2)
    assert "their profile differ" in refused


def test_an_earlier_judgement_is_compared(home: Path) -> None:
    folders = [f"runs/{name}-greedy-smoke-1" for name in "ab"]
    for name, folder in zip("ab", folders, strict=True):
        evaluate(home, "eval", name, "-b", "math500", "--limit", "10", *SMOKE, *echo("it is 3"))
        evaluate(home, "score", folder, "--set", "extraction=boxed", code=UNANSWERED)
    latest = evaluate(home, "compare", *folders)
    assert "scoring 1" in latest
    assert "A 0.0 %, B 0.0 %" in latest
    first = evaluate(home, "compare", *folders, "--scoring", "0")
    assert "A 10.0 %, B 10.0 %" in first
    assert "there is no scoring 7" in evaluate(home, "compare", *folders, "--scoring", "7", code=2)


def test_what_an_engine_answered_before_it_failed_is_kept(home: Path) -> None:
    answers = '{math500-000="0", math500-001="\\\\boxed{1}"}'
    said = evaluate(home, "eval", "m", "-b", "math500", "--limit", "4", "--samples", "2", *SMOKE,
                    "--engine", "echo", "--set", f"answers={answers}", code=1)  # fmt: skip
    assert "no right answer for task 'math500-002'" in said
    assert "go on with: harness eval --resume" in said
    folder = home / "runs" / "m-greedy-smoke-1"
    assert [line["verdict"]["status"] for line in lines(folder, "sample")] == ["pass"] * 4
    assert "4 of 8 samples are missing" in evaluate(home, "report", str(folder), code=1)


def test_an_override_is_another_profile(home: Path) -> None:
    shorter = ["--override", "sampling.max_tokens=5"]
    evaluate(home, "eval", "m", "-b", "math500", "--limit", "3", *SMOKE, *echo())
    evaluate(home, "eval", "m", "-b", "math500", "--limit", "3", *SMOKE, *shorter, *echo(),
             code=UNANSWERED)  # fmt: skip
    one = report(home, "runs/m-greedy-smoke-1")
    two = report(home, "runs/m-greedy-smoke-2", code=UNANSWERED)
    assert one["profile"]["hash"] != two["profile"]["hash"]
    assert two["benchmarks"]["math500"]["scores"]["truncated"] == 1.0
    refused = evaluate(home, "compare", "runs/m-greedy-smoke-1", "runs/m-greedy-smoke-2", code=2)
    assert "profile" in refused


def test_each_benchmark_has_its_own_cost_and_the_run_that_of_all(home: Path) -> None:
    write_rows(
        home / "data", [{"id": f"amc23-{i}", "problem": f"{i}?", "answer": i} for i in range(40)], "amc23"
    )
    both = ["-b", "math500,amc23", "--limit", "4"]
    evaluate(home, "eval", "m", *both, "--samples", "2", *SMOKE, *echo())
    evaluate(home, "eval", "--resume", "runs/m-greedy-smoke-1", "--samples", "3")
    study = read_study(home / "runs" / "m-greedy-smoke-1")
    (run,) = study.runs
    assert {name: run.spent_on(name).rollouts for name in run.heldouts} == {"math500": 12, "amc23": 12}
    assert run.spent.rollouts == 24
    assert run.spent.tokens == 24 * len("\\boxed{3}")
    evaluate(home, "score", "runs/m-greedy-smoke-1", "--set", "extraction=boxed")
    assert read_study(home / "runs" / "m-greedy-smoke-1").runs[0].spent.rollouts == 24, "no new samples"


def test_what_the_engine_tells_of_its_costs_and_of_who_answered_is_counted_once(home: Path) -> None:
    asked = ["-b", "math500", "--limit", "4", *SMOKE, "--samples"]
    evaluate(home, "eval", "m", *asked, "3", *echo())
    answers = home / "answers.jsonl"
    told = {"source": "fast", "cost": {"tokens": 7, "usd": 0.25}}
    rollouts = [line["rollout"] | told for line in lines(home / "runs" / "m-greedy-smoke-1", "sample")]
    answers.write_text("".join(json.dumps(rollout) + "\n" for rollout in rollouts))
    replay = ["--engine", "replay", "--set", f"path={answers}", "--set", "match=sample"]
    evaluate(home, "eval", "again", *asked, "2", *replay)
    folder = "runs/again-greedy-smoke-1"
    evaluate(home, "eval", "--resume", folder, "--samples", "3")
    evaluate(home, "score", folder, "--set", "extraction=boxed")
    (run,) = read_study(home / folder).runs
    spent = run.spent
    assert (spent.rollouts, spent.unreturned, spent.usd) == (12, 84, 3.0)
    assert spent.tokens == 84 + 12 * len("\\boxed{3}")
    assert spent.sources == {"fast": 12}
    assert "fast 12" in evaluate(home, "show", "again-greedy-smoke-1")


def test_an_evaluation_is_shown_listed_and_put_on_a_board(home: Path) -> None:
    evaluate(home, "eval", "m", "-b", "math500", "--limit", "5", "--samples", "2", *SMOKE, *echo())
    assert re.search(r"m-greedy-smoke-1 +finished", evaluate(home, "runs"))
    shown = evaluate(home, "show", "m-greedy-smoke-1")
    tokens = 10 * len("\\boxed{3}")
    assert re.search(rf"math500 +main .* 10 +{tokens} +\d", shown), "what it cost is shown"
    run = evaluate(home, "show", "runs/m-greedy-smoke-1/main/seed-0")
    assert f"spent 10 rollouts, {tokens} tokens" in run
    evaluate(home, "board", "add", "runs/m-greedy-smoke-1", "--board", "mine")
    assert "1 entries, 0 refused" in evaluate(home, "board", "check")
    entry = json.loads(next((home / "leaderboards" / "mine" / "entries").iterdir()).read_text())
    cost = entry["cost"]
    assert (cost["rollouts"], cost["tokens"], cost["evaluation_cpu_seconds"]) == (10, tokens, 0)
    assert cost["cpu_seconds"] > 0
    assert entry["seeds"][0]["rollouts"] == 10
    assert entry["benchmark"]["profile"]["hash"]
    assert entry["score"]["metric"] == "avg@2"
    assert list(entry["verifiers"]) == ["math"]
    assert not entry["recipe"]["simulated"]
    assert "harness eval --resume" in evaluate(home, "run", "--resume", "runs/m-greedy-smoke-1", code=2)


@pytest.mark.parametrize(
    ("engine", "simulated"),
    [(echo(), False), (["--engine", "sim", "--loader", "sim", "--override", "chat=false"], True)],
)
def test_the_ledger_says_whether_its_answers_are_simulated(
    home: Path, engine: list[str], simulated: bool
) -> None:
    # The simulated student answers its own items only: the ledger's first line is all that there is.
    code = 1 if simulated else 0
    evaluate(home, "eval", "m", "-b", "math500", "--limit", "1", *SMOKE, *engine, code=code)
    (opened,) = lines(home / "runs" / "m-greedy-smoke-1", "opened")
    assert opened["simulated"] is simulated


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["m", "-b", "mth500", *echo()], "did you mean 'math500'"),
        (["m", "-b", "math500", "--profile", "r1-standart", *echo()], "did you mean 'r1-standard'"),
        (["m", "-b", "math500", "--engine", "ecko"], "did you mean 'echo'"),
        (["m", "-b", "math500", "--engine", "echo", "--set", "txt=1"], "txt: no such field"),
        (["m", "-b", "aime24", "--source", "local", *echo()], "there is no file"),
        (["m", "-b", "humaneval", *echo()], "no file|sandbox|does not give it"),
        (
            ["m", "-b", "math500", "--override", "sampling.temprature=1", *echo()],
            "did you mean 'temperature'",
        ),
        (["m", *echo()], "name a benchmark"),
        (["--resume", "nowhere"], "is not the folder of an evaluation"),
        (["m", "--resume", "nowhere"], "give a model, --resume FOLDER, or --suite"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    home: Path, arguments: list[str], message: str
) -> None:
    said = evaluate(home, "eval", *arguments, code=2, HF_ENDPOINT="http://127.0.0.1:9")
    assert re.search(message, said), said
    assert not (home / "runs").exists()


def test_a_bad_row_is_named_with_line_and_field(home: Path) -> None:
    rows = math500_rows()
    rows[7]["answer"] = ""
    del rows[9]["problem"]
    write_rows(home / "data", rows)
    said = evaluate(home, "eval", "m", "-b", "math500", *echo(), code=2)
    assert "math500.jsonl:8:answer: must be text that is not empty" in said
    assert "math500.jsonl:10:problem: is missing" in said
    write_rows(home / "data", math500_rows()[:499])
    assert "has 499 problems" in evaluate(home, "eval", "m", "-b", "math500", *echo(), code=2)


def test_changed_data_does_not_mix_with_what_was_answered(home: Path) -> None:
    evaluate(home, "eval", "m", "-b", "math500", "--limit", "3", *SMOKE, *echo())
    rows = math500_rows()
    rows[1]["answer"] = "7"
    write_rows(home / "data", rows)
    said = evaluate(home, "eval", "--resume", "runs/m-greedy-smoke-1", "--samples", "2", code=2)
    assert "profile.math500.data_sha" in said
    assert "not those that were answered" in evaluate(home, "score", "runs/m-greedy-smoke-1", code=2)


def test_what_the_engine_gave_up_is_missing_and_asked_again(home: Path) -> None:
    (home / "harness_plugin.py").write_text("")
    evaluate(home, "eval", "m", "-b", "math500", "--limit", "4", *SMOKE, *echo())
    folder = home / "runs" / "m-greedy-smoke-1"
    whole = (folder / LEDGER).read_text().splitlines()
    samples = [i for i, line in enumerate(whole) if '"t":"sample"' in line]
    line = json.loads(whole[samples[1]])
    line["rollout"]["finish"] = "abort"
    line["verdict"] |= {"status": "infra_error", "score": None}
    unjudged = json.loads(whole[samples[2]])
    unjudged["verdict"] |= {"status": "infra_error", "score": None}
    whole[samples[1]], whole[samples[2]] = json.dumps(line, separators=(",", ":")), json.dumps(unjudged)
    (folder / LEDGER).write_text("".join(f"{text}\n" for text in whole if '"t":"evaluation"' not in text))
    report = evaluate(home, "report", str(folder), code=1)
    assert (
        "1 of 4 samples are missing, 1 of which the engine gave up; 1 of 4 samples could not be judged"
        in report
    )
    said = evaluate(home, "eval", "--resume", str(folder))
    assert "generating 1 sample\n" in said
    assert "judging 1 sample again" in said
    assert re.search(r"math500 +4 +avg@1 +25\.0\s%", said)
