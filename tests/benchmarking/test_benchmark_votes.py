"""maj@k counts what answers mean: one half is one vote however it is written,
unless a profile asks for texts."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import statistics
from harness.benchmarking.votes import comparisons
from harness.contract.errors import PluginError
from harness.plugging.plugins import load
from harness.recipe.stage import Use
from harness.statistics.tally import VOTE, Tally
from tests.support.evaluations import evaluate, math500_rows, write_rows

pytest.importorskip("math_verify")

#: Three of five say one.
RESPONSES = [
    "So \\boxed{1}.",
    "So \\boxed{2/2}.",
    "So \\boxed{\\frac{3}{3}}.",
    "So \\boxed{3}.",
    "So \\boxed{3}.",
]


def tally(answers: list[str | None], right: set[str]) -> Tally:
    made = Tally()
    for i, answer in enumerate(answers):
        passed = answer in right
        made.add(
            i, status="pass" if passed else "fail", score=float(passed), extracted=answer, finish="stop",
            tokens=1, tail=False,
        )  # fmt: skip
    return made


def parity(a: str, b: str) -> bool:
    return int(a) % 2 == int(b) % 2


def test_votes_that_mean_the_same_count_together() -> None:
    made = tally(["2", "4", "6", "1", "1"], {"2", "4", "6"})
    assert made.majority == 0.0
    made.unite(parity)
    assert made.majority == 1.0
    assert made.votes == {"2": [3, 3], "1": [2, 0]}


def test_uniting_twice_changes_nothing_and_later_votes_join() -> None:
    made = tally(["2", "4", "1"], {"2", "4"})
    made.unite(parity)
    before = dict(made.votes)
    made.unite(parity)
    assert made.votes == before
    made.add(3, status="fail", score=0.0, extracted="3", finish="stop", tokens=1, tail=False)
    made.unite(parity)
    assert made.votes == {"2": [2, 2], "1": [2, 0]}


@given(st.lists(st.sampled_from("123456"), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_united_votes_do_not_depend_on_the_order(answers: list[str], chance: Random) -> None:
    shuffled = list(answers)
    chance.shuffle(shuffled)
    one, other = tally([*answers], {"2", "4"}), tally([*shuffled], {"2", "4"})
    for made in (one, other):
        made.unite(parity)
    assert one.votes == other.votes
    assert sum(count for count, _ in one.votes.values()) == len(answers)


def test_comparisons_are_bounded() -> None:
    asked: list[tuple[str, str]] = []

    def same(a: str, b: str) -> bool:
        asked.append((a, b))
        return False

    votes = {str(i): 1 for i in range(100)}
    assert statistics.united(votes, same) == {text: text for text in votes}
    assert len(asked) == 256
    assert statistics.united({"a": 1, "b": 2}, lambda a, b: True) == {"a": "b", "b": "b"}


def test_long_answers_count_as_they_are_written() -> None:
    made = tally(["x" * (VOTE + 1), "x" * (VOTE + 1), "y" * (VOTE + 1), None], set())
    made.unite(lambda a, b: True)
    assert sorted(count for count, _ in made.votes.values()) == [1, 2]
    assert max(map(len, made.votes)) <= VOTE


def test_the_comparison_is_that_of_the_verifier() -> None:
    plugins = load()
    compared = comparisons([Use(name="math"), Use(name="choice")], plugins, "meaning")
    assert list(compared) == ["math"]
    same = compared["math"]
    assert same("\\frac{1}{2}", "0.5")
    assert same("1, 2", "2, 1")
    assert not same("0.33", "1/3")
    assert not same("3.142", "\\pi"), "one rounds the other: two answers"
    assert not same("9^{9^{9^9}}", "9^{9^{9^9}}+1"), "refused for its cost"
    assert comparisons([Use(name="math")], plugins, "text") == {}


def test_a_comparison_that_cannot_be_had_is_named() -> None:
    from harness.benchmarking.votes import _function

    with pytest.raises(PluginError, match="no_such_module:same"):
        _function("no_such_module:same", "verifier 'x'")


@pytest.mark.parametrize(("votes", "majority"), [("meaning", 1.0), ("text", 0.0)])
def test_an_evaluation_counts_as_its_profile_says(tmp_path: Path, votes: str, majority: float) -> None:
    write_rows(tmp_path / "data", math500_rows())
    rows = [{"index": 1, "responses": RESPONSES}, {"index": 0, "responses": ["\\boxed{7}"] * 5}]
    (tmp_path / "theirs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    evaluate(
        tmp_path, "score", "-b", "math500", "--profile", "greedy-smoke", "--limit", "2",
        "--override", f"votes={votes}", "--import", "theirs.jsonl",
    )  # fmt: skip
    report = json.loads(evaluate(tmp_path, "report", "runs/theirs-greedy-smoke-1", "--json"))
    assert report["benchmarks"]["math500"]["scores"]["maj@5"] == majority / 2
