"""The curricula with hints: the plan of QuestA, and SEELE's way to one half."""

from __future__ import annotations

from collections import Counter
from math import exp

import numpy as np
import pytest
from harness_hints.names import hinted, parts
from harness_hints.options import QuestAOptions, SeeleOptions
from harness_hints.questa import QuestA
from harness_hints.seele import Seele

from harness.contract.errors import TrainingError
from harness.testing import CurriculumConformance, MemoryPool, group_of
from tests.support.curricula import subjects

SHARES = (0.0, 0.25, 0.5, 0.75)
PLAIN = [f"p{i:02d}" for i in range(20)]
NAMES = [plain if not share else hinted(plain, share) for plain in PLAIN for share in SHARES]


class Hints(CurriculumConformance):
    #: The suite observes s00, too.
    rates = dict.fromkeys(NAMES, 0.5) | {"s00": 0.0, "s00~hint-50": 0.5, "s00~hint-25": 0.5}


class TestQuestA(Hints):
    name = "questa"


class TestSeele(Hints):
    name = "seele"


class TestSeeleWithGuesses(Hints):
    name = "seele"
    options = {"guess": 0.25, "target": 0.6}


def test_questa_shows_half_then_a_quarter_and_stays_there() -> None:
    curriculum, pool = (
        QuestA(QuestAOptions(shares=(0.5, 0.25), steps=3)),
        MemoryPool(dict.fromkeys(NAMES, 0.5)),
    )
    shown = [{parts(s)[1] for s in subjects(curriculum, pool, step, 8)} for step in range(1, 9)]
    assert shown == [{0.5}] * 3 + [{0.25}] * 5


def test_questa_says_which_shares_there_are_if_its_own_is_missing() -> None:
    with pytest.raises(TrainingError, match=r"no subject shows 40%[\s\S]*0%, 25%, 50%, 75%"):
        subjects(QuestA(QuestAOptions(shares=(0.4,))), MemoryPool(dict.fromkeys(NAMES, 0.5)), 1, 4)


def test_seele_finds_the_share_at_which_each_subject_is_passed_half_of_the_time() -> None:
    """Hard subjects need more of the solution: p00 needs a quarter, p19 three quarters."""
    half = {plain: 0.25 + 0.5 * i / 19 for i, plain in enumerate(PLAIN)}
    rates = {
        name: 1 / (1 + exp(-12 * (share - half[plain]))) for name in NAMES for plain, share in [parts(name)]
    }
    curriculum, pool = Seele(SeeleOptions()), MemoryPool(rates)
    rng = np.random.default_rng(0)
    late: list[str] = []
    for step in range(1, 81):
        for subject in subjects(curriculum, pool, step, 10):
            curriculum.observe(group_of(subject, int(rng.binomial(8, rates[subject]))))
            late += [subject] if step > 40 else []
    assert {parts(s)[0] for s in late} == set(PLAIN), "plain subjects are drawn uniformly"
    chosen = {plain: Counter(parts(s)[1] for s in late if parts(s)[0] == plain) for plain in PLAIN}
    assert chosen["p00"].most_common(1)[0][0] == 0.25
    assert chosen["p19"].most_common(1)[0][0] == 0.75
    missed = np.mean([abs(rates[s] - 0.5) for s in late])
    best = np.mean([min(abs(rates[n] - 0.5) for n in NAMES if parts(n)[0] == plain) for plain in PLAIN])
    assert missed < best + 0.08


def test_seele_needs_no_hints_where_the_policy_manages_alone() -> None:
    curriculum, pool = Seele(SeeleOptions()), MemoryPool(dict.fromkeys(NAMES, 0.5))
    for plain in PLAIN:
        for share in SHARES:
            curriculum.observe(group_of(plain if not share else hinted(plain, share), 4 if not share else 8))
    assert {parts(s)[1] for s in subjects(curriculum, pool, 1, 20)} == {0.0}
