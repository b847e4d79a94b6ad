"""The recipes of the two-by-two experiments: each factor acts, and arms differ in their factors alone."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plugging.plugins import load
from harness.recipe import Recipe, Stage, load_recipe
from harness.recipe.check import faults
from tests.support.places import ROOT

NAMES = ("two-by-two", "two-by-two-masking")
#: A chain of n operations is answered by n + 1 tokens; both recipes have strata 1 to 40.
LONGEST = 41


def arms(name: str) -> dict[str, Recipe]:
    return {arm.name: recipe for arm, recipe in load_recipe(ROOT / "recipes" / f"{name}.toml").arms()}


def without(stage: Stage, *fields: str) -> dict[str, Any]:
    told = stage.model_dump()
    for field in fields:
        table, _, entry = field.partition(".")
        if entry:
            del told[table][entry]
        else:
            del told[table]
    return told


@pytest.mark.parametrize("name", NAMES)
def test_every_field_plugin_and_option_fits(name: str) -> None:
    assert faults(load_recipe(ROOT / "recipes" / f"{name}.toml"), load().registry) == []


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("two-by-two", ("select", "rollout.max_tokens")),
        ("two-by-two-masking", ("loss.mask_truncated", "loss.entropy")),
    ],
)
def test_arms_differ_in_their_factors_alone(name: str, factors: tuple[str, ...]) -> None:
    (first, *others) = arms(name).values()
    for other in others:
        for one, another in zip(first.stages, other.stages, strict=True):
            assert without(one, *factors) == without(another, *factors)


def test_masking_acts_in_a_stage_whose_limit_cuts() -> None:
    masked = [
        (arm, stage)
        for arm, recipe in arms("two-by-two-masking").items()
        for stage in recipe.stages
        if stage.loss.mask_truncated
    ]
    assert [arm for arm, _ in masked] == ["masking", "both"]
    for _, stage in masked:
        assert stage.rollout.max_tokens < LONGEST, "of a limit that cuts nothing, nothing is masked"
        assert stage.select == "p <= 0.9", "the long chains, which nobody solves yet, are in the stage"
