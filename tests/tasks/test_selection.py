"""`select` rules: the paper's levels, safety of the language, unknown labels."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from harness.contract.errors import RecipeError
from harness.contract.records import Difficulty, PolicyRef
from harness.recipe import LabelFile
from harness.recipe.rules import POLICY, Rule, Subject
from harness.tasks.labels import load_labels
from tests.support.data import data_folder

#: Section 3.2 of arXiv 2504.00829. Levels are tags, not a partition; level 3 keeps a seeded share of
#: what the 32B solves: half of mathematics, a tenth of code.
LEVELS = {
    "level-1": '0 < p["1.5b"] < 1',
    "level-2": '(p["1.5b"] == 0 and 0 < p["7b"] <= 1) or (0 < p["1.5b"] < 1 and 0 < p["7b"] < 1)',
    "level-3-math": 'p["32b"] == 0 or chance(0.5, seed=7)',
    "level-3-code": 'p["32b"] == 0 or chance(0.1, seed=7)',
}
DISCARD = 'p["r1"] == 0'


def labelled(model: str, subject: str, passes: int, samples: int) -> Difficulty:
    return Difficulty(
        subject=subject, model=model, policy=PolicyRef(weights_sha="x"), samples=samples, passes=passes
    )


def labels(**rates: tuple[int, int]) -> dict[str, dict[str, Difficulty]]:
    """Labels of subject "s": keyword `b7=(passes, samples)` is model "7b"."""
    names = {"b15": "1.5b", "b7": "7b", "b32": "32b", "r1": "r1", "p": POLICY}
    return {names[k]: {"s": labelled(names[k], "s", *v)} for k, v in rates.items()}


@pytest.mark.parametrize(
    ("b15", "b7", "expected"),
    [
        ((2, 4), (4, 4), {"level-1"}),
        ((2, 4), (1, 4), {"level-1", "level-2"}),
        ((0, 4), (4, 4), {"level-2"}),
        ((0, 4), (3, 4), {"level-2"}),
        ((0, 4), (0, 4), set()),
        ((4, 4), (4, 4), set()),
    ],
)
def test_the_papers_first_two_levels_are_overlapping_tags(
    b15: tuple[int, int], b7: tuple[int, int], expected: set[str]
) -> None:
    known = labels(b15=b15, b7=b7)
    got = {n for n in ("level-1", "level-2") if Rule(LEVELS[n]).matches(Subject("s"), known)}
    assert got == expected


def test_level_three_is_all_failures_of_the_32b_and_a_seeded_share_of_the_rest() -> None:
    rule = Rule(LEVELS["level-3-math"])
    subjects = [Subject(f"s{i}") for i in range(2000)]
    solved = {"32b": {s.id: labelled("32b", s.id, 4, 4) for s in subjects}}
    failed = {"32b": {s.id: labelled("32b", s.id, 0, 4) for s in subjects}}
    kept = {s.id for s in subjects if rule.matches(s, solved)}
    assert 900 < len(kept) < 1100
    assert kept == {s.id for s in subjects if rule.matches(s, solved)}
    assert all(rule.matches(s, failed) for s in subjects)
    other = Rule('p["32b"] == 0 or chance(0.5, seed=8)')
    assert kept != {s.id for s in subjects if other.matches(s, solved)}
    tenth = Rule(LEVELS["level-3-code"])
    assert 140 < sum(tenth.matches(s, solved) for s in subjects) < 260


def test_what_r1_never_solves_is_discarded() -> None:
    assert Rule(DISCARD).matches(Subject("s"), labels(r1=(0, 4)))
    assert not Rule(DISCARD).matches(Subject("s"), labels(r1=(1, 4)))


def test_the_levels_on_published_pass_rates() -> None:
    file = LabelFile(
        path="adarft_deepscaler_passrate.jsonl.gz", subject="problem", pass_rate="pass_rate", samples=128
    )
    real = {"7b": load_labels("7b", file, data_folder() / "difficulty")}
    subjects = [Subject(s) for s in real["7b"]]
    # Some problems stand in the file more than once.
    assert 29_000 < len(subjects) <= 29_724
    never, sometimes, always = (
        {s.id for s in subjects if Rule(rule).matches(s, real)}
        for rule in ('p["7b"] == 0', '0 < p["7b"] < 1', 'p["7b"] == 1')
    )
    assert len(never) + len(sometimes) + len(always) == len(subjects)
    assert len(sometimes) > len(subjects) / 2
    hard = Rule('p["7b"] == 0 or (p["7b"] == 1 and chance(0.5, seed=1))')
    kept = {s.id for s in subjects if hard.matches(s, real)}
    assert never <= kept
    assert len(kept - never) == pytest.approx(len(always) / 2, rel=0.1)


def test_bare_names_are_the_policy_in_training() -> None:
    assert Rule("0.05 <= p <= 0.9 and n >= 4").matches(Subject("s"), labels(p=(2, 4)))
    assert not Rule("p > 0.9").matches(Subject("s"), labels(p=(2, 4)))
    assert Rule("p").needs_labels
    assert not Rule('p["7b"] > 0').needs_labels
    assert Rule('p["7b"] > p').models == {"7b"}


@pytest.mark.parametrize("rule", ["p == 0", "p != 0", "p < 1", "not p < 1", 'p["7b"] > 0'])
def test_a_subject_without_the_label_never_matches(rule: str) -> None:
    assert not Rule(rule).matches(Subject("s"), {})


def test_posterior_names() -> None:
    known = labels(p=(1, 2))
    assert Rule("mean == 0.5 and 0.22 < sd < 0.23").matches(Subject("s"), known)


def test_numbers_that_an_estimator_attached_have_names_or_are_asked_for_by_name() -> None:
    placed = Difficulty(
        subject="s", model="policy", policy=PolicyRef(weights_sha=""), samples=0, passes=0,
        extra={"b": -0.5, "information": 2.0},
    )  # fmt: skip
    known = {"policy": {"s": placed}, "7b": {"s": replace(placed, extra={"b": 1.0})}}
    assert Rule('b < 0 < b["7b"]').matches(Subject("s"), known)
    assert Rule('extra("information") == 2 and extra("b", "7b") == 1').matches(Subject("s"), known)
    assert not Rule("a > 0 or a <= 0").matches(Subject("s"), known)
    assert Rule('extra("x")').needs_labels
    assert (Rule('extra("x", "7b")').needs_labels, Rule('extra("x", "7b")').models) == (False, {"7b"})


def test_a_predicted_rate_is_used_where_nothing_was_sampled_and_counts_no_samples() -> None:
    predicted = Difficulty(
        subject="s", model="policy", policy=PolicyRef(weights_sha=""), samples=0, passes=0, predicted=0.37
    )
    known = {"policy": {"s": predicted}}
    assert Rule("p == 0.37 and mean == 0.37 and n == 0").matches(Subject("s"), known)
    assert not Rule("sd >= 0 or sd < 0").matches(Subject("s"), known)
    sampled = replace(predicted, samples=4, passes=1)
    assert Rule("p == 0.25 and n == 4").matches(Subject("s"), {"policy": {"s": sampled}})


def test_of_a_hinted_subject_the_plain_form_can_be_asked() -> None:
    """Hard without a hint, learnable with one; a plain subject is its own plain form."""
    hint, plain = Subject("a~hint-50", plain="a"), Subject("a")
    rates = {"a": labelled("policy", "a", 0, 8), "a~hint-50": labelled("policy", "a~hint-50", 4, 8)}
    known = {"policy": rates, "7b": {"a": replace(rates["a"], extra={"b": 2.0})}}
    for subject in (hint, plain):
        assert Rule("plain(p <= 0.1)").matches(subject, known)
        assert Rule('plain(p["7b"] <= 0.1 and b["7b"] > 1 and extra("b", "7b") == 2)').matches(subject, known)
        assert not Rule('plain(p["1.5b"] <= 1)').matches(subject, known), "nobody labelled it"
    assert Rule("plain(p <= 0.1) and p == 0.5").matches(hint, known)
    assert not Rule("plain(p <= 0.1) and p == 0.5").matches(plain, known)
    assert not Rule('p["7b"] <= 0.1').matches(hint, known)
    assert Rule("plain(p < 1)").needs_labels
    assert not Rule('plain(p["7b"] < 1)').needs_labels
    assert Rule("plain(p < 1)").needs_task
    coin = Rule("plain(chance(0.5, seed=1))")
    pairs = [(Subject(f"{i}"), Subject(f"{i}~hint-50", plain=f"{i}")) for i in range(50)]
    assert all(coin.matches(a, {}) == coin.matches(b, {}) for a, b in pairs), "one coin for both forms"


def test_tags_strata_and_domains() -> None:
    subject = Subject("s", stratum="9", domain="math", tags=frozenset({"level-1"}))
    assert Rule('tag("level-1") and domain == "math" and stratum in ("9", "10")').matches(subject, {})
    assert not Rule('tag("level-2")').matches(subject, {})


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("p <", "not a rule"),
        ("__import__('os')", "only tag"),
        ("p.__class__", "attribute is not part"),
        ("[x for x in p]", "is not part"),
        ("(lambda: 1)()", "only tag"),
        ("pass_rate > 0", "'pass_rate' is unknown"),
        ("mea > 0", "did you mean 'mean'"),
        ("p[7]", "written as a string"),
        ("tag", "called with"),
        ("extra(p)", "names as strings"),
        ("extra", "called with"),
        ("plain", "called with"),
        ("plain(p, n)", "one condition"),
        ('plain(tag("x"))', "not of tag"),
        ("plain(plain(p < 1))", "not of plain"),
        ('stratum["x"]', "only p, n, mean, sd, a, b, se, theta take"),
    ],
)
def test_anything_else_is_refused_with_what_is_allowed(rule: str, words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        Rule(rule, where="stages.0.select")


def test_a_rule_that_cannot_be_worked_out_names_subject_and_place() -> None:
    with pytest.raises(RecipeError, match=r"stages\.0\.select.*'s'"):
        Rule("p / 0 > 1", where="stages.0.select").matches(Subject("s"), labels(p=(1, 2)))


@pytest.mark.parametrize("rule", ["not " * 5000 + "True", "+".join(["1"] * 20000), "-" * 3000 + "1 > 0"])
def test_a_rule_too_deep_to_read_is_refused_as_one(rule: str) -> None:
    with pytest.raises(RecipeError, match="not a rule"):
        Rule(rule)


def test_how_deep_a_rule_may_be_does_not_depend_on_the_interpreters_limit() -> None:
    before = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(100_000)
        with pytest.raises(RecipeError, match="nested too deeply"):
            Rule("not " * 1000 + "True")
    finally:
        sys.setrecursionlimit(before)
    assert Rule("not " * 50 + "True").matches(Subject("s"), {})


@pytest.mark.parametrize("rule", ["p * " + "9" * 400 + " > 1", '"a" * 99999999999999999 == "b"'])
def test_numbers_beyond_the_machine_are_a_named_error(rule: str) -> None:
    with pytest.raises(RecipeError, match="cannot be worked out for 's'"):
        Rule(rule).matches(Subject("s"), labels(p=(1, 2)))


def test_the_policy_may_be_named_like_any_model() -> None:
    assert Rule('p["policy"] > 0.1').needs_labels
