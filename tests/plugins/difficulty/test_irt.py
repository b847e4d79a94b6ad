"""Estimator `irt-2pl`: few items, the ones that tell most, and labels for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from harness_difficulty.irt import Irt2pl

from harness.contract import BuildContext, DataError, Difficulty, PolicyRef
from harness.plugging.plugins import Plugins
from harness.statistics.irt import (
    Item,
    Scale,
    fit,
    next_items,
    passing,
    place,
    scale_of,
    write_scale,
)
from harness.testing import EstimatorConformance
from harness.testing.plugin import Build
from tests.support.students import rms, students

NAME = "irt-2pl"


class TestIrtWithoutAScale(EstimatorConformance):
    name = "irt-2pl"
    options = {"most": 64}


class TestIrtOnAScale(EstimatorConformance):
    """The policy of the suite on a scale on which its subjects stand where their rates put them."""

    name = "irt-2pl"
    options = {"scale": "scale.json", "se": 0.25, "samples": 4, "most": 32}
    measures_all = False

    @pytest.fixture(autouse=True)
    def scale_of_the_suite(self, tmp_path: Path) -> None:
        """In the folder where the suite's paths begin."""
        suite = {"dead": 4.0, "hard": 2.2, "half": 0.0, "easy": -2.2, "sure": -4.0}
        simulated = {f"b{b}": float(b) for b in range(-2, 3)}
        items = {name: Item(1.0, b) for name, b in {**suite, **simulated}.items()}
        write_scale(Scale(items), tmp_path / "scale.json")


def outcome(subject: str, samples: int, passes: int) -> Difficulty:
    return Difficulty(
        subject=subject, model="policy", policy=PolicyRef(weights_sha="0"), samples=samples, passes=passes
    )


def measured(estimator: Irt2pl, theta: float, items: Mapping[str, Item], seed: int) -> dict[str, Difficulty]:
    """Ask until it is enough; the outcomes of a policy of this ability."""
    rng = np.random.default_rng(seed)
    outcomes: dict[str, Difficulty] = {}
    while wanted := estimator.requests(outcomes, list(items)):
        for subject, count in wanted.items():
            seen = outcomes.get(subject, outcome(subject, 0, 0))
            p = float(passing(theta, np.array([items[subject].a]), np.array([items[subject].b]))[0])
            outcomes[subject] = outcome(
                subject, seen.samples + count, seen.passes + int(rng.binomial(count, p))
            )
    return outcomes


@pytest.fixture
def scale(tmp_path: Path) -> Scale:
    fitted = fit(students(40, 200, 4, seed=7).matrix)
    made = scale_of(fitted)
    write_scale(made, tmp_path / "scale.json")
    return made


def test_it_stops_when_the_ability_is_known_as_well_as_asked(harness_build: Build, scale: Scale) -> None:
    errors, asked = [], []
    for seed, theta in enumerate(np.linspace(-1.5, 1.5, 12)):
        estimator = harness_build("difficulty_estimators", NAME, scale="scale.json", se=0.25, per_round=2)
        outcomes = measured(estimator, theta, scale.items, seed)
        placed = estimator.placed(outcomes)
        assert placed.se <= 0.25
        errors.append(placed.theta - theta)
        asked.append(len(outcomes))
    assert rms(np.array(errors)) < 0.4
    assert np.mean(asked) < 40, "a fifth of the items is plenty"


def test_chosen_items_tell_more_than_random_ones(scale: Scale) -> None:
    names = list(scale.items)
    items = scale.items_of(names)
    rng = np.random.default_rng(0)

    def doubt(spread: float) -> float:
        left = []
        for theta in np.linspace(-1.5, 1.5, 16):
            n, k = np.zeros(len(items)), np.zeros(len(items))
            placed = place(items, n, k)
            for _ in range(8):
                (i,) = next_items(items, placed, n == 0, rng.random(len(items)), spread=spread)
                n[i] = 1
                k[i] = rng.random() < float(passing(theta, items.a[i : i + 1], items.b[i : i + 1])[0])
                placed = place(items, n, k)
            left.append(placed.se)
        return float(np.mean(left))

    told, random = doubt(0.03), doubt(1.0)
    assert told < 0.9 * random, "eight chosen items leave less doubt than eight random ones"


def test_every_item_of_the_scale_has_a_label_and_those_not_run_a_predicted_one(
    harness_build: Build, scale: Scale
) -> None:
    estimator = harness_build("difficulty_estimators", NAME, scale="scale.json", se=0.3)
    outcomes = measured(estimator, 0.5, scale.items, seed=0)
    labels = estimator.fit(outcomes)
    assert set(labels) == set(scale.items)
    for name, label in labels.items():
        assert label.extra["b"] == scale.items[name].b
        assert label.samples == (outcomes[name].samples if name in outcomes else 0)
        assert 0 < label.predicted < 1
    hard, easy = (f(scale.items, key=lambda n: scale.items[n].b) for f in (max, min))
    assert labels[hard].predicted < labels[easy].predicted


def test_labels_of_other_models_make_a_scale(harness_plugins: Plugins, build_context: BuildContext) -> None:
    truth = students(6, 40, 4, seed=1)
    labels = {
        model: {
            item: outcome(item, 4, int(truth.matrix.passes[row, column]))
            for column, item in enumerate(truth.matrix.items)
        }
        for row, model in enumerate(truth.matrix.configurations)
    }
    registration = harness_plugins.registry.find("difficulty_estimators", NAME)
    estimator = registration.build({}, replace(build_context, labels=labels))
    assert np.corrcoef([estimator.scale.items[i].b for i in truth.matrix.items], truth.b)[0, 1] > 0.85
    alone = registration.build({}, replace(build_context, labels={"c0": labels["c0"]}))
    assert alone.scale is None, "labels of one model make no scale"


def test_subjects_that_are_not_on_the_scale_are_refused(harness_build: Build, scale: Scale) -> None:
    estimator = harness_build("difficulty_estimators", NAME, scale="scale.json")
    with pytest.raises(DataError, match="none of the 1 subjects, such as 'elsewhere'"):
        estimator.requests({}, ["elsewhere"])


def test_a_measurement_does_not_go_on_with_another_scale(harness_build: Build, tmp_path: Path) -> None:
    write_scale(Scale({"i": Item(1.0, 0.0)}), tmp_path / "scale.json")
    state = harness_build("difficulty_estimators", NAME, scale="scale.json").state_dict()
    write_scale(Scale({"i": Item(1.0, 0.5)}), tmp_path / "scale.json")
    with pytest.raises(DataError, match="the scale has changed"):
        harness_build("difficulty_estimators", NAME, scale="scale.json").load_state_dict(state)


def test_a_policy_that_solves_nothing_is_placed_and_the_asking_ends(
    harness_build: Build, tmp_path: Path
) -> None:
    write_scale(Scale({f"i{b}": Item(1.0, float(b)) for b in range(-3, 4)}), tmp_path / "scale.json")
    estimator = harness_build("difficulty_estimators", NAME, scale="scale.json", se=0.1, most=2)
    items = estimator.scale.items
    outcomes = measured(estimator, -50.0, items, seed=0)
    assert all(label.samples == 2 for label in outcomes.values()), "it asks all it may, and then no more"
    placed = estimator.placed(outcomes)
    assert -5 < placed.theta < -1.5
    assert placed.se > 0.1


def test_next_items_are_free_ones_and_no_more_than_there_are() -> None:
    items = Scale({f"i{b}": Item(1.0, float(b)) for b in range(4)}).items_of([f"i{b}" for b in range(4)])
    free = np.array([False, True, False, True])
    draws = np.array([0.1, 0.9, 0.2, 0.3])
    placed = place(items, np.zeros(4), np.zeros(4))
    assert next_items(items, placed, free, draws, count=3, spread=1.0) == [3, 1]
    assert next_items(items, placed, free, draws, spread=0.0) == [1], "b = 1 is nearer to 0 than b = 3"
    assert next_items(items, placed, np.zeros(4, dtype=bool), draws) == []
