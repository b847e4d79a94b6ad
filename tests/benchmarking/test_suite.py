"""A suite: models x profiles x benchmarks in one resumable call, as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.benchmarking.expected import Expected
from harness.benchmarking.folder import Asked, EvaluationFolder
from harness.benchmarking.metering import Meter
from harness.benchmarking.suite import Cell, Price, Suite, read_suite
from harness.benchmarking.suite_run import Progress, SuiteRun, Totals, told
from harness.contract import RecipeError
from harness.recording.ledger import Ledger
from tests.support.evaluations import LEDGER, evaluate, lines
from tests.support.openai_server import serving
from tests.support.places import ROOT
from tests.support.waiting import until

pytest.importorskip("math_verify")

CAPPED, FAILED, UNANSWERED = 6, 1, 3
SUITE = """
name = "tiny"
benchmarks = ["mine.jsonl", "more.jsonl"]
profiles = ["greedy-smoke"]
samples = 2

[engines.three]
name = "echo"
options = { text = "\\\\boxed{3}" }
concurrency = 2
price = { input = 1, output = 1000 }

[engines.six]
name = "echo"
options = { text = "\\\\boxed{6}" }

[[models]]
model = "three"
engine = "three"

[[models]]
model = "six"
engine = "six"
"""


def write(path: Path, answers: list[int]) -> None:
    rows = [{"id": f"p{i}", "problem": f"What is {i}?", "answer": a} for i, a in enumerate(answers)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    write(tmp_path / "mine.jsonl", [3] * 12)
    write(tmp_path / "more.jsonl", [3, 6, 1])
    (tmp_path / "suite.toml").write_text(SUITE)
    return tmp_path


def summary(home: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((home / "runs" / "tiny" / "summary.json").read_text())
    return values


def change(home: Path, old: str, new: str) -> None:
    text = (home / "suite.toml").read_text()
    assert old in text
    (home / "suite.toml").write_text(text.replace(old, new))


def test_a_suite_scores_tests_and_goes_on(home: Path) -> None:
    said = evaluate(home, "eval", "--suite", "suite.toml")
    assert "three is better than six: +100.0 points" in said
    assert "three is not told apart from six" in said or "six is not told apart from three" in said
    assert "60 of 60 samples" in said
    values = summary(home)
    assert {e["state"] for e in values["evaluations"].values()} == {"done"}
    assert values["groups"][0]["scores"]["three"]["value"] == 1.0
    ledger = home / "runs" / "tiny" / "three-greedy-smoke-mine" / LEDGER
    before = ledger.read_bytes()
    again = evaluate(home, "eval", "--suite", "suite.toml")
    assert ledger.read_bytes() == before, "what is complete is not touched"
    assert "three is better than six" in again
    change(home, "samples = 2", "samples = 3")
    evaluate(home, "eval", "--suite", "suite.toml")
    assert len(lines(ledger.parents[2], "sample")) == 36
    assert ledger.read_bytes().startswith(before)


def test_one_failure_stops_nothing_else(home: Path) -> None:
    change(home, 'benchmarks = ["mine.jsonl", "more.jsonl"]', 'benchmarks = ["mine.jsonl", "aime44"]')
    (home / "suite.toml").write_text(
        (home / "suite.toml").read_text() + '\n[[models]]\nmodel = "nowhere"\n'
        'engine = "gone"\n[engines.gone]\nname = "openai"\noptions = { servers = "http://127.0.0.1:9/v1" }\n'
    )
    said = evaluate(home, "eval", "--suite", "suite.toml", code=FAILED)
    assert "three, greedy-smoke, aime44: refused" in said
    assert "did you mean 'aime24'" in said
    assert "nowhere, greedy-smoke, mine: failed: Error:" in said
    assert "three is better than six: +100.0 points" in said
    assert "go on with: harness eval --suite suite.toml" in said


def test_two_engines_one_of_them_a_server(home: Path) -> None:
    """A random model in a process of the suite, and a server that speaks OpenAI's protocol."""
    pytest.importorskip("torch")
    (home / "raw.toml").write_text(
        'extends = "greedy-smoke"\nname = "raw"\nchat = false\n'
        "[sampling]\ntemperature = 1.0\nmax_tokens = 8\n"
        '[domains.math]\nprompt = "{problem}"\n'
    )
    with serving() as fake:
        (home / "suite.toml").write_text(
            'name = "tiny"\nbenchmarks = ["mine.jsonl", "more.jsonl"]\nprofiles = ["raw.toml"]\nlimit = 3\n'
            '[engines.here]\nname = "transformers"\n[engines.there]\nname = "openai"\n'
            f'options = {{ servers = "{fake.url}" }}\nconcurrency = 2\n'
            '[[models]]\nmodel = "random"\nloader = "random-llama"\nengine = "here"\n'
            '[[models]]\nmodel = "tiny"\nname = "served"\nengine = "there"\n'
        )
        said = evaluate(home, "eval", "--suite", "suite.toml", code=UNANSWERED)
        assert "12 of 12 samples" in said
        assert {e["state"] for e in summary(home)["evaluations"].values()} == {"done"}
        assert len(fake.bodies) == 6
        evaluate(home, "eval", "--suite", "suite.toml", code=UNANSWERED)
        assert len(fake.bodies) == 6, "nothing is asked twice"


def test_a_cap_stops_cleanly_and_the_next_call_goes_on(home: Path) -> None:
    change(home, "samples = 2", "samples = 2\ncap = { tokens = 1 }")
    said = evaluate(home, "eval", "--suite", "suite.toml", code=CAPPED)
    assert "stopped by the cap" in said
    change(home, "cap = { tokens = 1 }", "cap = { cost = 1000 }")
    evaluate(home, "eval", "--suite", "suite.toml")
    change(home, "cap = { cost = 1000 }", "cap = { cost = 0.001 }")
    said = evaluate(home, "eval", "--suite", "suite.toml", code=CAPPED)
    assert "of 0.001 spent" in said
    assert "100.0" in said, "what there is, is shown"


def test_an_evaluation_that_was_stopped_before_its_first_line_is_begun_anew(home: Path) -> None:
    evaluate(home, "eval", "--suite", "suite.toml")
    ledger = home / "runs" / "tiny" / "three-greedy-smoke-mine" / LEDGER
    ledger.write_bytes(b"")
    evaluate(home, "eval", "--suite", "suite.toml")
    assert ledger.stat().st_size > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_loses_nothing_and_leaves_nothing_running(home: Path, number: signal.Signals) -> None:
    write(home / "mine.jsonl", [3] * 4000)
    change(home, "samples = 2", "samples = 64")
    environment = {**os.environ, "HARNESS_CACHE": str(home / "cache"), "HARNESS_DATA": str(home / "data")}
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", "eval", "--suite", "suite.toml"], cwd=home, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    ledger = home / "runs" / "tiny" / "three-greedy-smoke-mine" / LEDGER
    until(lambda: ledger.exists() and ledger.read_bytes().count(b'"sample"') > 50, seconds=120)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "harness eval --suite suite.toml, which goes on" in said
    held = len(lines(ledger.parents[2], "sample"))
    assert held > 50
    meter = Meter(ledger)
    meter.read()
    assert meter.samples == held
    with Ledger(ledger):
        pass  # nobody writes it any more


def test_another_question_under_the_same_name_is_refused(home: Path) -> None:
    evaluate(home, "eval", "--suite", "suite.toml")
    change(home, "samples = 2", "samples = 2\nlimit = 1")
    said = evaluate(home, "eval", "--suite", "suite.toml", code=FAILED)
    assert "was begun with another limit" in said


def test_a_dry_run_says_what_would_be_generated(home: Path) -> None:
    said = evaluate(home, "eval", "--suite", "suite.toml", "--dry-run")
    assert "60 completions, 30,720 tokens at most, cost" in said
    assert not (home / "runs").exists()
    said = evaluate(home, "eval", "m", "-b", "mine.jsonl", "--engine", "echo", "--dry-run")
    assert "48 completions" in said
    assert not (home / "runs").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('engine = "six"', 'engine = "sx"', "did you mean 'six'"),
        ('engine = "six"', 'engine = "unlike"', "no engine 'unlike'; allowed: "),
        ('profiles = ["greedy-smoke"]', "profiles = []", "profiles: name at least one"),
        ("samples = 2", "sample = 2", "did you mean 'samples'"),
        ('model = "six"', 'model = "three"', "two are called 'three'"),
        ("samples = 2", "samples = 0", "samples"),
        ('name = "tiny"', "name =", "not TOML"),
    ],
)
def test_a_suite_that_does_not_fit_is_refused(home: Path, old: str, new: str, said: str) -> None:
    change(home, old, new)
    with pytest.raises(RecipeError, match=said):
        read_suite(home / "suite.toml")


def test_a_cost_cap_needs_a_price(home: Path) -> None:
    change(home, "price = { input = 1, output = 1000 }", "")
    change(home, "samples = 2", "samples = 2\ncap = { cost = 1 }")
    with pytest.raises(RecipeError, match="no engine states a price"):
        read_suite(home / "suite.toml")


@pytest.mark.parametrize("path", sorted((ROOT / "suites").glob("*.toml")), ids=lambda path: path.stem)
def test_the_suites_that_come_along_are_read_with_what_their_comments_propose(
    path: Path, tmp_path: Path
) -> None:
    text = path.read_text()
    # Settings that stand in a comment, four columns in: a table's head and what follows it.
    proposed = re.findall(r"^#   (\[\w+\.\w+\]\n(?:#   \w+ = .*\n)*)", text, re.MULTILINE)
    (tmp_path / "suite.toml").write_text(text + "".join(table.replace("#   ", "") for table in proposed))
    suite = read_suite(tmp_path / "suite.toml")
    assert suite.name == path.stem
    assert set(suite.engines) == {"local"} | ({"server"} if proposed else set())


# The meter and the totals ----------------------------------------------------------------------------


def sample(tokens: int) -> bytes:
    return json.dumps({"t": "sample", "tokens": tokens, "prompt_tokens": 10}).encode() + b"\n"


def test_a_meter_reads_whole_lines_as_they_come(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    meter = Meter(ledger)
    meter.read()
    assert meter.samples == 0
    line = sample(5)
    ledger.write_bytes(b'{"t":"opened","x":"\\"sample\\""}\n' + line + line[:9])
    meter.read()
    assert (meter.samples, meter.tokens, meter.prompt_tokens) == (1, 5, 10)
    ledger.write_bytes(b'{"t":"opened","x":"\\"sample\\""}\n' + line + line)
    meter.read()
    assert (meter.samples, meter.tokens) == (2, 10)
    assert meter.cost(Price(input=1_000_000, output=2_000_000, hour=3), hours=2) == 20 + 20 + 6
    assert meter.cost(None) == 0


def test_time_and_cost_to_go_follow_from_what_came(tmp_path: Path) -> None:
    suite = Suite.model_validate(
        {"name": "s", "benchmarks": ["b"], "models": [{"model": "m"}],
         "engines": {"default": {"name": "echo", "price": {"output": 1_000_000}}}}
    )  # fmt: skip
    asked = Asked(name="m", model="m", benchmarks={"b": {}}, profile={})
    folder = EvaluationFolder(tmp_path, asked)
    folder.info.folder.mkdir(parents=True)
    folder.ledger.write_bytes(sample(30) * 4)
    cell = Cell("m", "p", "b", "default", folder)
    progress = Progress(cell, Expected("b", 5, 2, 100, 50, 200), Meter(folder.ledger))
    run = SuiteRun(suite, [progress], print)
    assert run.totals().tokens_to_go is None
    progress.look()
    progress.seconds = 12.0
    totals = run.totals()
    assert (totals.samples, totals.wanted, totals.tokens, totals.cost) == (4, 10, 120, 120)
    assert (totals.tokens_to_go, totals.seconds_to_go, totals.cost_to_go) == (180, 18, 180)
    assert told(totals, True) == (
        "4 of 10 samples, 120 tokens, cost 120.00; to go: about 180 tokens, 18\u2009s, cost 180.00"
    )


def test_what_has_not_changed_is_not_said_again(tmp_path: Path) -> None:
    suite = Suite.model_validate(
        {
            "name": "s",
            "benchmarks": ["b"],
            "models": [{"model": "m"}],
            "engines": {"default": {"name": "echo"}},
        }
    )
    said: list[str] = []
    run = SuiteRun(suite, [], said.append)
    for samples in (0, 0, 1, 1, 2):
        run.tell(Totals(samples=samples, wanted=2))
    assert said == [f"{samples} of 2 samples, 0 tokens" for samples in (0, 1, 2)]
