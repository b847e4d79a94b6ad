"""`harness eval --adaptive`: an estimator picks the problems, and what comes out is no score."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.evaluations import LEDGER, evaluate, lines, math500_rows, report, write_rows

pytest.importorskip("math_verify")

#: Halves the problems, which are taken to stand from easy to hard, until it knows where the model stands.
BISECTING = '''
from dataclasses import replace

from harness import hookimpl
from harness.recipe import Model


class Options(Model):
    """When it is enough."""

    width: int = 1
    """Problems between which the model is not placed any further."""
    again: bool = False
    """Whether it wants ever more samples of the first problem that it may ask."""


class Bisecting:
    def __init__(self, options, context):
        self.options, self.subjects = options, []

    def between(self, outcomes):
        low, high = 0, len(self.subjects)
        for i, subject in enumerate(self.subjects):
            seen = outcomes.get(subject)
            if seen is not None and seen.samples:
                low, high = (max(low, i + 1), high) if seen.passes else (low, min(high, i))
        return low, high

    def requests(self, outcomes, subjects):
        self.subjects = self.subjects or list(subjects)
        if self.options.again:
            return {subjects[0]: 1} if subjects else {}
        low, high = self.between(outcomes)
        return {} if high - low < self.options.width else {subjects[(low + high) // 2]: 1}

    def split(self, count, *, endless):
        return [count]

    def fit(self, outcomes):
        low, high = self.between(outcomes)
        like = next(iter(outcomes.values()))
        told = {"theta": low / len(self.subjects), "se": (high - low) / len(self.subjects)}
        return {
            subject: replace(
                outcomes.get(subject) or replace(like, subject=subject, samples=0, passes=0),
                predicted=float(i < low), extra=told,
            )
            for i, subject in enumerate(self.subjects)
        }

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


@hookimpl
def register_difficulty_estimators(register):
    register("bisecting", f"{__name__}:Bisecting", options=f"{__name__}:Options")
'''
NAME = "staged-harness-bisecting/bisecting"
ASKED = ["eval", "m", "-b", "math500", "--profile", "greedy-smoke"]
ENGINE = [
    "--engine", "echo", "--set", 'tasks=[{name="hub", benchmark="math500"}]', "--set", "right=0.5",
    "--set", 'wrong="it is \\\\boxed{-1}"', "--set", 'form="it is \\\\boxed{{}}"',
]  # fmt: skip
FOLDER = "runs/m-greedy-smoke-1"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the benchmark, and with the estimator as an installed distribution."""
    write_rows(tmp_path / "data", math500_rows())
    site = tmp_path / "site"
    info = site / "staged_harness_bisecting-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "harness_bisecting.py").write_text(BISECTING)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: staged-harness-bisecting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness]\nbisecting = harness_bisecting\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    return tmp_path


def test_it_asks_little_and_ends_with_an_ability_and_no_score(home: Path) -> None:
    said = evaluate(home, *ASKED, *ENGINE, "--adaptive", NAME)
    asked = lines(home / FOLDER, "sample")
    assert 5 <= len(asked) <= 9, "five hundred problems are halved nine times"
    assert f"{len(asked)} of 500" in said
    assert "no score" not in said
    (placement,) = lines(home / FOLDER, "placement")
    told = placement["scores"]
    assert told["asked"] == told["samples"] == told["rounds"] == len(asked)
    assert told["predicted"] == pytest.approx(told["theta"])
    assert placement["spent_rollouts"] == len(asked)
    assert placement["spent_tokens"] > 0
    assert not lines(home / FOLDER, "evaluation"), "nothing takes it for an evaluation"
    assert report(home, FOLDER)["benchmarks"]["math500"]["placed"] == told


def test_a_round_is_written_down_before_it_is_asked(home: Path) -> None:
    evaluate(home, *ASKED, *ENGINE, "--adaptive", NAME)
    kinds = [line["t"] for line in lines(home / FOLDER)]
    assert kinds[:4] == ["opened", "round", "sample", "round"]


@pytest.mark.parametrize("kept", [1, 2, 3, 6])
def test_a_broken_one_comes_to_the_same(home: Path, kept: int) -> None:
    """Cut after the opening line, after a round's line, after its sample, and further on."""
    evaluate(home, *ASKED, *ENGINE, "--adaptive", NAME)
    ledger = home / FOLDER / LEDGER
    (whole,) = lines(home / FOLDER, "placement")
    samples = [line["rollout"]["key"] for line in lines(home / FOLDER, "sample")]
    written = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(written[:kept]) + written[kept][:30])
    unfinished = evaluate(home, "report", FOLDER, code=1)
    assert "an adaptive evaluation that was interrupted" in unfinished
    evaluate(home, "eval", "--resume", FOLDER)
    (again,) = lines(home / FOLDER, "placement")
    assert again["scores"] == whole["scores"]
    assert [line["rollout"]["key"] for line in lines(home / FOLDER, "sample")] == samples


def test_resuming_a_finished_one_changes_nothing(home: Path) -> None:
    evaluate(home, *ASKED, *ENGINE, "--adaptive", NAME)
    before = len(lines(home / FOLDER, "sample")), len(lines(home / FOLDER, "placement"))
    evaluate(home, "eval", "--resume", FOLDER)
    assert (len(lines(home / FOLDER, "sample")), len(lines(home / FOLDER, "placement"))) == before


def test_it_is_held_against_no_full_score(home: Path) -> None:
    """Neither on a board, nor by `compare`, nor judged again: its problems were chosen."""
    evaluate(home, *ASKED, *ENGINE, "--adaptive", NAME)
    evaluate(home, *ASKED, *ENGINE, "--limit", "20")
    full = "runs/m-greedy-smoke-2"
    assert "an ability and no score" in evaluate(home, "board", "add", FOLDER, code=2)
    assert not list((home / "leaderboards").glob("**/*.json"))
    assert "an ability and no score" in evaluate(home, "compare", FOLDER, full, code=2)
    assert "chosen by the verdicts" in evaluate(home, "score", FOLDER, code=2)
    evaluate(home, "board", "add", full)


def test_options_of_the_estimator_hold(home: Path) -> None:
    evaluate(home, *ASKED, *ENGINE, "--adaptive", NAME, "--adaptive-set", "width=200")
    assert len(lines(home / FOLDER, "sample")) <= 2


def test_an_estimator_without_an_ability_still_expects_a_rate(home: Path) -> None:
    evaluate(home, *ASKED, *ENGINE, "--limit", "6", "--samples", "8", "--adaptive", "pass-rate")
    (placement,) = lines(home / FOLDER, "placement")
    assert "theta" not in placement["scores"]
    assert 0 < placement["scores"]["predicted"] < 1


def test_problems_that_have_all_their_samples_are_not_asked_for_more(home: Path) -> None:
    """An estimator that wants more of them is asked again for others, so that it ends where it wants to."""
    evaluate(home, *ASKED, *ENGINE, "--limit", "9", "--adaptive", NAME, "--adaptive-set", "again=true")
    (placement,) = lines(home / FOLDER, "placement")
    assert placement["scores"]["asked"] == placement["scores"]["samples"] == 9


def test_what_does_not_fit_is_refused_before_anything_starts(home: Path) -> None:
    said = evaluate(home, *ASKED, *ENGINE, "--adaptive", "pass-rat", code=2)
    assert "did you mean 'pass-rate'" in said
    said = evaluate(home, *ASKED, *ENGINE, "--adaptive", NAME, "--adaptive-set", "widht=1", code=2)
    assert "did you mean 'width'" in said
    said = evaluate(home, *ASKED, *ENGINE, "--adaptive-set", "width=1", code=2)
    assert "--adaptive-set without --adaptive" in said
    assert not (home / "runs").exists()


def test_what_an_estimator_does_not_give_is_said(tmp_path: Path) -> None:
    write_rows(tmp_path / "data", math500_rows())
    said = evaluate(tmp_path, *ASKED, "--limit", "3", "--adaptive", "pass-rate", *ENGINE)
    assert "no ability: the estimator 'pass-rate' gives none, only rates" in said
    assert "no rate over all" not in said
