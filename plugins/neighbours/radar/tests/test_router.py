"""The router's decisions, what it puts down about them, and what it refuses."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from harness.contract import (
    DataError,
    EngineError,
    HarnessError,
    Message,
    ModelFiles,
    Policy,
    PolicyRef,
    RecipeError,
    Request,
    RolloutKey,
    Sampling,
)
from harness.statistics.irt import Ability, Item, Prior, Scale, write_scale
from hypothesis import given
from hypothesis import strategies as st

from harness_radar.choosing import choose, front, hypervolume

NAME = "staged-harness-radar/router"
COSTS = np.array([1.0, 2.0, 10.0])
share = st.floats(0, 1)


def test_the_weight_runs_from_the_cheapest_to_the_ablest():
    chances = np.array([0.2, 0.6, 0.9])
    for rule in ("linear", "chebyshev"):
        taken = [choose(chances, COSTS, weight, rule) for weight in (0.0, 0.4, 0.7, 1.0)]
        assert taken[0] == 0
        assert taken[-1] == 2
        assert taken == sorted(taken)


def test_of_equally_able_configurations_the_cheaper_one_is_taken():
    assert choose(np.array([0.5, 0.5, 0.5]), COSTS, 1.0, "chebyshev") == 0
    assert choose(np.array([0.5, 0.5, 0.5]), COSTS[::-1].copy(), 1.0, "linear") == 2


def test_chebyshev_reaches_a_point_in_a_dent_of_the_front_and_linear_does_not():
    """Accuracy .3, .4, .9 at costs 0, .5, 1: the middle lies below the line between its neighbours."""
    chances, costs = np.array([0.3, 0.4, 0.9]), np.array([0.0, 0.5, 1.0])
    weights = np.linspace(0, 1, 201)
    assert {choose(chances, costs, w, "linear") for w in weights} == {0, 2}
    assert {choose(chances, costs, w, "chebyshev") for w in weights} == {0, 1, 2}


@given(
    st.lists(st.tuples(share, share), min_size=1, max_size=6), share, st.sampled_from(["linear", "chebyshev"])
)
def test_a_choice_is_never_beaten_in_both(points, weight, rule):
    costs, chances = np.array([p[0] for p in points]), np.array([p[1] for p in points])
    taken = choose(chances, costs, weight, rule)
    beaten = (costs < costs[taken] - 1e-9) & (chances > chances[taken] + 1e-9)
    assert not beaten.any()


def test_hypervolume_is_the_area_under_the_steps():
    assert hypervolume([(0.0, 1.0)], 10.0) == 1.0
    assert hypervolume([(5.0, 0.5)], 10.0) == pytest.approx(0.25)
    assert hypervolume([(5.0, 0.5), (8.0, 1.0), (9.0, 0.7)], 10.0) == pytest.approx((3 * 0.5 + 2 * 1.0) / 10)
    assert hypervolume([(12.0, 1.0)], 10.0) == 0.0
    assert hypervolume([(12.0, 1.0), (5.0, 0.5)], 10.0) == pytest.approx(0.25), (
        "one that is too dear adds nothing"
    )
    assert front([(5.0, 0.5), (8.0, 1.0), (9.0, 0.7), (5.0, 0.4)]) == [0, 1]


@given(st.lists(st.tuples(share, share), max_size=6), st.tuples(share, share))
def test_one_more_configuration_never_lowers_the_hypervolume(points, more):
    assert hypervolume([*points, more], 0.8) >= hypervolume(points, 0.8) - 1e-12


# The engine ---------------------------------------------------------------------------------------


def echo(name, **more):
    return {"name": name, "engine": {"name": "echo", "text": "forty-two"}, **more}


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    abilities = {"small": Ability(-1.0, 0.1, tokens=10.0), "large": Ability(2.0, 0.1, tokens=20.0)}
    items = {"easy": Item(1.5, -2.5), "hard": Item(1.5, 1.0)}
    write_scale(Scale(items, abilities, Prior()), tmp_path / "scale.json")
    return tmp_path / "scale.json"


def request(task, text="?", **sampling):
    key = RolloutKey("run", "eval", "b", 0, task, 0)
    return Request(key, (Message("user", text),), Sampling(max_tokens=16, **sampling))


def answers(engine, *requests):
    async def gather():
        return {rollout.key.task: rollout async for rollout in engine.generate(requests)}

    return asyncio.run(gather())


@pytest.mark.usefixtures("scale")
def test_easy_queries_go_to_the_cheap_one_and_the_ledger_says_so(harness_build):
    engine = harness_build(
        "engines", NAME, scale="scale.json", weight=0.6,
        configurations=[echo("small", price=1.0, max_tokens=4), echo("large", price=2.0)],
    )  # fmt: skip
    done = answers(engine, request("easy"), request("hard"))
    assert done["easy"].source == "small"
    assert done["hard"].source == "large"
    assert done["easy"].cost.usd == pytest.approx(4 * 1.0 / 1e6)
    assert done["hard"].cost.usd == pytest.approx(9 * 2.0 / 1e6)
    assert (done["easy"].finish, done["easy"].tokens) == ("budget", 4)
    assert done["easy"].sampling.max_tokens == 16, "as it was asked"


@pytest.mark.usefixtures("scale")
def test_without_a_price_there_is_nothing_to_weigh(harness_build):
    with pytest.raises(RecipeError, match="without a price: large"):
        harness_build(
            "engines", NAME, scale="scale.json", configurations=[echo("small", price=1.0), echo("large")]
        )
    with pytest.raises(RecipeError, match="every configuration is free"):
        harness_build(
            "engines", NAME, scale="scale.json",
            configurations=[echo("small", price=0.0), echo("large", price=0.0)],
        )  # fmt: skip


def test_a_cost_of_unknown_length_is_refused(harness_build, tmp_path):
    write_scale(Scale({"i": Item(1.0, 0.0)}, {"small": Ability(0.0, 0.1)}), tmp_path / "scale.json")
    with pytest.raises(RecipeError, match="how many tokens .* is not known"):
        harness_build("engines", NAME, scale="scale.json", configurations=[echo("small", price=1.0)])


@pytest.mark.usefixtures("scale")
def test_a_configuration_that_is_not_on_the_scale_is_refused(harness_build):
    with pytest.raises(DataError, match="'medium' is not on the scale"):
        harness_build("engines", NAME, scale="scale.json", configurations=[echo("medium", price=1.0)])


@pytest.mark.usefixtures("scale")
def test_a_query_that_is_not_on_the_scale_is_predicted_or_refused(harness_build):
    options = {"scale": "scale.json", "configurations": [echo("small", price=1.0), echo("large", price=2.0)]}
    predicting = harness_build("engines", NAME, **options)
    assert set(answers(predicting, request("new"))) == {"new"}
    refusing = harness_build("engines", NAME, unknown="refuse", **options)
    with pytest.raises(EngineError, match="'new' is not on the scale"):
        answers(refusing, request("new"))


def test_a_scale_that_was_made_by_hand_predicts_nothing(harness_build, tmp_path):
    abilities = {"small": Ability(-1.0, 0.1, tokens=10.0), "large": Ability(2.0, 0.1, tokens=20.0)}
    write_scale(Scale({"easy": Item(1.5, -2.5)}, abilities), tmp_path / "scale.json")
    options = {"scale": "scale.json", "configurations": [echo("small", price=1.0), echo("large", price=2.0)]}
    with pytest.raises(DataError, match="nothing is known of items that are not on the scale"):
        answers(harness_build("engines", NAME, **options), request("new"))


SIM = {"name": "sim"}


def student(name, ability, price):
    loader = {"name": "sim", "ability": ability, "tokens": 20.0}
    return {"name": name, "engine": SIM, "model": name, "loader": loader, "price": price}


@pytest.mark.usefixtures("scale")
def test_configurations_may_have_models_of_their_own(harness_build):
    """Two simulated students, each loaded as a model of its own: the policy of each rollout says which."""
    engine = harness_build(
        "engines", NAME, scale="scale.json", weight=0.6,
        configurations=[student("small", -1.0, 1.0), student("large", 2.0, 2.0)],
    )  # fmt: skip
    source = harness_build("task_sources", "sim-irt", count=2, low=-2.0, high=2.0)
    prompt = source.draw(source.subjects()[0], 0).prompt
    done = answers(
        engine,
        *(Request(request(t).key, prompt, Sampling(max_tokens=256)) for t in ("easy", "hard")),
    )
    assert done["easy"].policy.weights_sha != done["hard"].policy.weights_sha
    assert {rollout.source for rollout in done.values()} == {"small", "large"}


@pytest.mark.usefixtures("scale")
def test_models_of_their_own_never_stand_for_a_trained_policy(harness_build, tmp_path):
    engine = harness_build(
        "engines", NAME, scale="scale.json",
        configurations=[student("small", -1.0, 1.0), student("large", 2.0, 2.0)],
    )  # fmt: skip
    trained = Policy(PolicyRef(weights_sha="t", stage="rl", step=9), ModelFiles(tmp_path, "t", 8, chat=False))
    with pytest.raises(HarnessError, match="every configuration has a model of its own"):
        engine.sync_weights(trained)
