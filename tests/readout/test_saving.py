"""What arms save against a baseline: terms of the recipe, ratios, and what keeps them from being a claim."""

from __future__ import annotations

from math import isnan
from pathlib import Path

import pytest

from harness.contract import DataError, StepMetrics
from harness.readout import (
    Evaluation,
    Run,
    Saving,
    Step,
    Study,
    Terms,
    factorial,
    read_study,
    savings,
    terms_of,
)
from harness.recording.spending import Spent
from tests.support.studies import RECIPE, make_study

TERMS = Terms(0.8, "held-out", "uniform")


def run(
    arm: str, seed: int, crosses_at: float, *, every: int = 2, until: int = 4000, done: bool = True
) -> Run:
    """A run of 25 rollouts per step whose score rises evenly and meets .8 at `crosses_at`."""
    made = Run(Path(), arm, seed, opened={"t": "opened"}, finished_at="now" if done else "")
    for step in range(0, until // 25 + 1, every):
        spent = Spent(25 * step, 0, 0.0)
        rate = min(1.0, 0.8 * 25 * step / crosses_at)
        made.evaluations.append(Evaluation("inside", "held-out", "s", step, spent, {}, {}, {}, rate, 0.0))
    return made


def study(*runs: Run) -> Study:
    return Study(Path("somewhere"), "r", list(runs))


def compared(arm: list[Run], seeds: int = 10) -> Saving:
    return savings(study(*[run("uniform", s, 2000 + 10 * s) for s in range(seeds)], *arm), TERMS)


def test_an_arm_at_half_the_cost_on_every_seed_has_ratio_one_half_and_needs_less() -> None:
    saving = compared([run("online", s, 1000 + 5 * s) for s in range(10)])
    base, online = saving.arms
    assert (base.arm, base.cost, base.reading) == ("uniform", None, "no claim")
    assert online.cost is not None
    assert online.cost.value == pytest.approx(0.5)
    assert online.cost.interval == pytest.approx((0.5, 0.5))
    assert online.area is not None
    assert online.area.low > 1
    assert (online.reading, online.caveats) == ("less", ())


def test_the_baseline_against_its_own_twin_is_one() -> None:
    twin = compared([run("twin", s, 2000 + 10 * s) for s in range(10)]).arms[1]
    assert twin.cost is not None
    assert twin.area is not None
    assert (twin.cost.value, twin.area.value, twin.reading) == (1, 1, "not separated")


def test_few_seeds_are_no_claim_and_it_says_so() -> None:
    online = compared([run("online", s, 1000) for s in range(3)], seeds=3).arms[1]
    assert online.reading == "no claim"
    assert "3 paired seeds; a claim needs at least 10" in online.caveats


def test_another_grid_is_no_claim() -> None:
    online = compared([run("online", s, 1000, every=1) for s in range(10)]).arms[1]
    assert any("evaluated every step, the baseline every 2 steps" in c for c in online.caveats)


def test_a_coarse_grid_is_no_claim() -> None:
    coarse = [run("uniform", s, 2000, every=40) for s in range(10)]
    online = savings(study(*coarse, *[run("online", s, 1000, every=40) for s in range(10)]), TERMS).arms[1]
    assert any(c.startswith("its evaluations lie 100\u2009% of the median crossing") for c in online.caveats)


def test_a_coarse_grid_of_the_baseline_is_no_claim_either() -> None:
    coarse = [run("uniform", s, 1000, every=40) for s in range(10)]
    online = savings(study(*coarse, *[run("online", s, 40_000, every=40) for s in range(10)]), TERMS).arms[1]
    assert [c for c in online.caveats if "grid" in c] == [
        "the baseline's evaluations lie 100\u2009% of the median crossing apart, which is no fine grid"
    ]


def test_runs_that_never_cross_bound_the_ratio_and_are_counted() -> None:
    slow = [run("slow", s, 8000) for s in range(10)]
    arm = compared(slow).arms[1]
    assert arm.crossed == 0
    assert arm.median == (4000, float("inf"))
    assert arm.cost is not None
    assert arm.cost.value is None
    assert arm.cost.low == pytest.approx(4000 / 2045)
    assert arm.reading == "more", "every run is known to need longer, however long that is"


def test_only_finished_runs_with_a_partner_count_and_the_others_are_named() -> None:
    arms = [run("online", s, 1000) for s in range(11)] + [run("online", 11, 1000, done=False)]
    saving = compared(arms)
    assert saving.arms[1].seeds == tuple(range(10))
    assert saving.left_out == (
        "online, seed 11: not finished",
        "online, seed 10: no partner in uniform",
    )


def test_areas_end_where_the_shortest_run_ends() -> None:
    assert compared([run("online", s, 1000, until=3000) for s in range(10)]).end == 3000


def test_a_baseline_that_begins_at_the_threshold_is_refused() -> None:
    easy = run("uniform", 0, 2000)
    easy.evaluations = [
        Evaluation("i", "held-out", "s", i, Spent(i, 0, 0.0), {}, {}, {}, 0.9, 0.0) for i in (0, 5)
    ]
    with pytest.raises(DataError, match="before any training"):
        savings(study(easy), TERMS)


def test_a_baseline_without_a_finished_run_is_refused() -> None:
    with pytest.raises(DataError, match="'uniform' has no finished run"):
        savings(study(run("uniform", 0, 100, done=False), run("online", 0, 100)), TERMS)


REPORT = """
[report]
reporters = [{ name = "page", threshold = 0.7, threshold_strata = ["9", "11"] }]
"""


def test_the_recipe_fixes_the_terms_and_the_caller_may_change_them(tmp_path: Path) -> None:
    made = read_study(make_study(tmp_path, per_stratum=2, steps=8, recipe=RECIPE + REPORT))
    terms = terms_of(made)
    assert terms == Terms(0.7, "strata-7-12", "uniform", ("9", "11"))
    changed = terms_of(
        made, {"baseline": "staged", "threshold": None, "axis": "tokens", "threshold_strata": ()}
    )
    assert (changed.baseline, changed.threshold, changed.axis) == ("staged", 0.7, "tokens")
    tokens = REPORT.replace("threshold = 0.7", 'threshold = 0.7, axis = "tokens"')
    by_tokens = read_study(
        make_study(tmp_path, name="tokens-1", per_stratum=2, steps=8, recipe=RECIPE + tokens)
    )
    assert terms_of(by_tokens, {"axis": None}).axis == "tokens"
    assert terms_of(by_tokens, {"axis": "cpu_seconds"}).axis == "cpu_seconds"
    for wrong in ({"baseline": "unifrom"}, {"heldout": "strata-7-13"}):
        with pytest.raises(DataError, match=next(iter(wrong.values()))):
            terms_of(made, wrong)


def test_a_recipe_without_a_threshold_is_refused_with_the_way_to_fix_one(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--threshold"):
        terms_of(read_study(make_study(tmp_path, per_stratum=2, steps=8)))


# 2 x 2 ---------------------------------------------------------------------------------------------

SQUARE = ("neither", "difficulty", "length", "both")


def square(*, seeds: int = 3, **unfinished: int) -> Study:
    """Four arms of which `both` learns twice as fast; `arm=seed` leaves that run unfinished."""
    at = {"neither": 4000, "difficulty": 4000, "length": 4000, "both": 2000}
    return study(
        *[run(a, s, at[a], until=2000, done=unfinished.get(a) != s) for a in SQUARE for s in range(seeds)]
    )


def test_a_square_reads_its_effects_off_final_scores_and_areas() -> None:
    made = factorial(square(), SQUARE)
    assert (made.factors, made.seeds) == (("difficulty", "length"), (0, 1, 2))
    final, mean = made.outcomes
    assert [cell.mean for cell in final.cells] == pytest.approx([0.4, 0.4, 0.4, 0.8])
    assert final.effects.first.mean == final.effects.second.mean == pytest.approx(0.2)
    assert final.effects.interaction.mean == pytest.approx(0.4)
    assert mean.effects.interaction.mean == pytest.approx(0.2)


def test_a_square_says_how_many_training_samples_a_limit_cut() -> None:
    """Weighted by the rollouts of a step, then the mean over seeds."""
    made = square()
    for one in made.of("length"):
        shares = ((0.5, 8), (0.0, 24)) if one.seed else ((0.2, 8),)
        for step, (share, rollouts) in enumerate(shares, 1):
            metrics = StepMetrics(
                stage="s", step=step, rollouts=rollouts, tokens=0, reward_mean=0.0, reward_sd=0.0,
                pass_rate=0.0, zero_variance_groups=0.0, truncated=share,
            )  # fmt: skip
            one.steps.append(Step(metrics, Spent()))
    neither, _, length, _ = factorial(made, SQUARE).truncated
    assert length == pytest.approx((0.2 + 2 * 0.125) / 3)
    assert isnan(neither), "no step was trained"


def test_a_square_takes_seeds_that_all_four_arms_finished() -> None:
    assert factorial(square(length=1), SQUARE).seeds == (0, 2)
    with pytest.raises(DataError, match="no seed of which all"):
        factorial(square(seeds=1, both=0), SQUARE)


@pytest.mark.parametrize(
    ("arms", "fault"), [(SQUARE[:3], "four arms, not 3"), ((*SQUARE[:3], "botth"), "no arm 'botth'")]
)
def test_a_square_of_other_arms_is_refused(arms: tuple[str, ...], fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        factorial(square(), arms)
