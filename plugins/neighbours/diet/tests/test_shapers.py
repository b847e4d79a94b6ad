"""The penalties by hand, and where their difficulty comes from."""

import math

import pytest
from harness.contract import DataError, Difficulty, PolicyRef
from harness.testing import group_with
from hypothesis import given
from hypothesis import strategies as st

from harness_diet.diet import Diet, standardised
from harness_diet.dipo import Dipo
from harness_diet.options import DietOptions, DipoOptions

LABEL = Difficulty(subject="s", model="m", policy=PolicyRef(weights_sha="0"), samples=8, passes=2)


def diet(**options):
    return Diet(DietOptions(**options), None)


def dipo(**options):
    return Dipo(DipoOptions(**options), None)


def shaped(shaper, group, label=None):
    """Advantages as a run asks for them."""
    group = group.with_rewards(shaper.rewards(group, label))
    return shaper.advantages(group, label)


def test_diet_by_hand():
    group = group_with([1, 1, 0, 0], lengths=[2, 4, 6, 8], advantages=[1, 1, -1, -1])
    # Mean 5, deviation sqrt(20 / 3); half of the answers are right, so half of the strength counts.
    weight, deviation = 0.4 * 0.5, math.sqrt(20 / 3)
    want = [a - weight * (n - 5) / deviation for a, n in zip([1, 1, -1, -1], [2, 4, 6, 8], strict=True)]
    assert shaped(diet(strength=0.4), group) == pytest.approx(want, abs=1e-5)


def test_the_penalty_keeps_its_weight_where_all_answers_are_right():
    """The pitfall of one normalisation for both: with rewards 1 - 0.01 * length it would be as large for any
    weight."""
    group = group_with([1, 1], lengths=[2, 4], advantages=[0, 0])
    small, large = (shaped(diet(strength=s), group) for s in (0.01, 0.1))
    assert [10 * value for value in small] == pytest.approx(large)


@given(st.lists(st.integers(1, 100), min_size=2, max_size=16), st.integers(2, 9), st.integers(0, 50))
def test_lengths_are_standardised_whatever_their_unit_and_origin(lengths, unit, origin):
    plain = standardised(lengths, [True] * len(lengths), 1e-9)
    other = standardised([unit * n + origin for n in lengths], [True] * len(lengths), 1e-9)
    assert other == pytest.approx(plain, abs=1e-6)
    assert sum(plain) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("make", [diet, dipo])
def test_where_nothing_is_right_nothing_is_penalised(make):
    group = group_with([0, 0, None], lengths=[2, 9, 4], advantages=[0, 0, 0])
    shaper = make(strength=1.0)
    assert list(shaper.rewards(group, None)) == [0, 0, None]
    assert shaped(shaper, group) == pytest.approx([0, 0, 0])


def test_right_answers_alone_may_count():
    group = group_with([1, 1, 0, 0], lengths=[2, 4, 90, 8], advantages=[1, 1, -1, -1])
    made = shaped(diet(of="right", strength=1.0), group)
    assert made[2:] == [-1, -1]
    assert made[0] > 1 > made[1]


def test_the_strength_may_swing():
    shaper = diet(cycle=10)
    assert shaper.pressure(10) == pytest.approx(0)
    assert shaper.pressure(5) == pytest.approx(1)
    assert diet().pressure(3) == 1


def test_dipo_by_hand():
    group = group_with([1, 1, 1, 0], lengths=[2, 4, 6, 1])
    assert dipo(strength=0.4).rewards(group, None) == pytest.approx([1, 1 - 0.15, 1 - 0.3, 0])


def test_dipo_leaves_right_answers_of_one_length_alone():
    group = group_with([1, 1, 0], lengths=[4, 4, 9])
    assert dipo().rewards(group, None) == (1, 1, 0)


# Difficulty --------------------------------------------------------------------------------------


def test_a_posterior_learns_over_groups_and_forgets():
    shaper = diet(difficulty="posterior", decay=0.5)
    easy, hard = group_with([1, 1, 1, 1]), group_with([0, 0, 0, 0])
    shaper.rewards(easy, None)
    assert shaper.ease.of(easy, None) == pytest.approx(5 / 6)
    shaper.rewards(hard, None)
    # Two passes are left of the four, and four failures are new.
    assert shaper.ease.of(hard, None) == pytest.approx(3 / 8)


def test_subjects_are_kept_apart_and_unknown_ones_are_even():
    shaper = diet(difficulty="posterior")
    shaper.rewards(group_with([1, 1], subject="1"), None)
    assert shaper.ease.of(group_with([0], subject="2"), None) == 0.5


def test_what_could_not_be_judged_teaches_nothing():
    shaper = dipo(difficulty="posterior")
    shaper.rewards(group_with([None, None]), None)
    assert shaper.state_dict() == {}


def test_its_state_goes_on_elsewhere():
    first, second = diet(difficulty="posterior"), diet(difficulty="posterior")
    first.rewards(group_with([1, 0, 0]), None)
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict() == {"s": [1.0, 2.0]}


def test_a_label_is_the_difficulty_and_a_missing_one_is_an_error():
    group = group_with([1, 1], lengths=[2, 4])
    assert dipo(difficulty="label", strength=1.0).rewards(group, LABEL) == pytest.approx([1, 1 - LABEL.mean])
    with pytest.raises(DataError, match="has no label to take the difficulty from"):
        dipo(difficulty="label").rewards(group, None)


def test_a_control_arm_is_blind_to_difficulty():
    assert diet(difficulty="none").ease.of(group_with([0, 0]), None) == 1
