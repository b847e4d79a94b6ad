"""avg@k, pass@k, G-Pass@k, maj@k: against enumeration, against published cases, and at the edges."""

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics import avg_at_k, g_pass_at_k, maj_at_k, mg_pass_at_k, pass_at_k
from tests.support.places import DATA

CASES = DATA / "verify" / "metric_cases_lighteval.jsonl"

#: Cases whose grader does not read answers as exact strings: how many samples it counts as right.
GRADED = {
    ("pass_at_k_math", "Test case with mixed correct and incorrect samples"): 0,
    ("g_pass_at_k_math", "Test case with mixed correct and incorrect samples"): 0,
    ("g_pass_at_k_math", "Test case with high k value and multiple correct samples"): 0,
    ("g_pass_at_k_math", "Test case with fractions"): 2,
    ("g_pass_at_k_latex", "Test case with high k value and multiple correct samples"): 5,
    ("avg_at_k", "Test avg at k with multiple correct answers"): 1,
}


def enumerated(passes: int, samples: int, k: int, at_least: int) -> float:
    """The chance by counting every way to choose k of the samples."""
    marks = [i < passes for i in range(samples)]
    picks = list(itertools.combinations(marks, k))
    return sum(sum(pick) >= at_least for pick in picks) / len(picks)


counts = st.integers(1, 9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n), st.integers(1, n)))


@given(counts)
def test_pass_at_k_is_the_share_of_choices_with_a_pass(case):
    passes, samples, k = case
    assert pass_at_k([passes], samples, k)[0] == pytest.approx(enumerated(passes, samples, k, 1))


@given(counts, st.floats(0, 1))
def test_g_pass_at_k_is_the_share_of_choices_with_enough_passes(case, threshold):
    passes, samples, k = case
    needed = max(math.ceil(threshold * k - 1e-9), 1)
    estimate = g_pass_at_k([passes], samples, k, threshold)[0]
    assert estimate == pytest.approx(enumerated(passes, samples, k, needed))


@given(counts)
def test_pass_at_k_grows_with_k_and_is_the_pass_rate_at_one(case):
    passes, samples, k = case
    table = pass_at_k([passes], samples, list(range(1, samples + 1)))
    assert table[0, 0] == pytest.approx(passes / samples)
    assert (np.diff(table[:, 0]) >= -1e-12).all()
    assert 0 <= table[k - 1, 0] <= 1


@pytest.mark.parametrize("k", [1, 64, 65, 1000, 9_000])
def test_pass_at_k_is_exact_for_many_samples(k):
    samples, passes = 10_000, 37
    exact = 1 - Fraction(math.comb(samples - passes, k), math.comb(samples, k))
    assert pass_at_k([passes], samples, k)[0] == pytest.approx(float(exact), rel=1e-9)


def test_pass_at_k_takes_problems_with_different_sample_counts_and_several_k():
    table = pass_at_k([1, 3, 0], [4, 3, 8], [1, 2, 3])
    assert table.shape == (3, 3)
    assert table[1].tolist() == pytest.approx([0.5, 1.0, 0.0])


@pytest.mark.parametrize(
    ("passes", "samples", "k"), [([1], [2], 3), ([3], [2], 1), ([-1], [2], 1), ([1], [2], 0)]
)
def test_impossible_counts_are_refused(passes, samples, k):
    with pytest.raises(ValueError, match="samples"):
        pass_at_k(passes, samples, k)


def test_avg_at_k_weights_problems_alike_and_refuses_short_ones():
    assert avg_at_k([[1, 1, 1, 1], [0]]) == 0.5
    assert avg_at_k([[1, 0, 0], [1, 1, 0]], k=1) == 1.0
    with pytest.raises(ValueError, match="problem 1 has 1 samples"):
        avg_at_k([[1, 0], [1]], k=2)


def test_maj_at_k_counts_votes_shares_ties_and_ignores_missing_answers():
    right = {"4": True, "5": False}
    assert maj_at_k(["4", "4", "5"], right) == 1.0
    assert maj_at_k(["4", "5"], right) == 0.5
    assert maj_at_k([None, None, "5"], right) == 0.0
    assert maj_at_k([None], right) == 0.0
    assert maj_at_k(["5", "4", "4"], right, k=1) == 0.0
    assert maj_at_k(["a", "a", "b"], [True, True, False]) == 1.0


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=9), st.randoms())
def test_maj_at_k_does_not_depend_on_the_order_of_the_samples(answers, random):
    shuffled = list(answers)
    random.shuffle(shuffled)
    right = {"a": True, "b": False, "c": False}
    assert maj_at_k(shuffled, right) == maj_at_k(answers, right)


def cases():
    if not CASES.is_file():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no {CASES}; set HARNESS_DATA"))]
    rows = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 37
    return [pytest.param(row, id=f"{i}-{row['suite']}") for i, row in enumerate(rows)]


@pytest.mark.parametrize("row", cases())
def test_published_cases(row):
    params, texts = row["metric_params"], row["model_response"]["text"]
    gold = row["doc"]["gold_index"]
    golds = {row["doc"]["choices"][i] for i in (gold if isinstance(gold, list) else [gold])}
    k, n = params["k"], params.get("n", params["k"])
    used = texts[: n if "n" in params else k]
    right = GRADED.get((row["suite"], row["description"]), sum(text in golds for text in used))
    for name, expected in row["expected_output"].items():
        if name.startswith("avg@"):
            estimate = right / k
        elif name.startswith("pass@"):
            estimate = pass_at_k([right], n, k)[0]
        elif name.startswith("m"):
            prefix, _, _ = name.partition("g-pass")
            estimate = (
                mg_pass_at_k([right], n, k)[0]
                if prefix in ("m", "mmath_", "mlatex_")
                else g_pass_at_k([right], n, k, float(name.rpartition("_")[2]))[0]
            )
        else:
            estimate = g_pass_at_k([right], n, k, float(name.rpartition("_")[2]))[0]
        assert estimate == pytest.approx(expected, abs=row["tolerance"]), name
