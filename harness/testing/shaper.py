"""What every shaper of rewards and advantages must do."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.contract.advantages import group_advantages
from harness.contract.protocols import Shaper
from harness.contract.records import Difficulty, PolicyRef
from harness.contract.samples import Group
from harness.plugging.plugins import Plugins
from harness.testing.on_groups import OnGroups
from harness.testing.plugin import Build
from harness.testing.stateful import reborn
from harness.training import border

#: What a run compares: rewards and advantages of one group.
Shaped = tuple[list[float | None], list[float | list[float]]]

LABEL = Difficulty(subject="s0", model="policy", policy=PolicyRef(weights_sha="0"), samples=16, passes=4)


class ShaperConformance(OnGroups):
    """Subclass with the registered name and options."""

    kind = "shapers"

    @pytest.fixture
    def token_credit(self, harness_plugins: Plugins) -> bool:
        """Whether it declares that it gives advantages per token."""
        return bool(
            harness_plugins.registry.find("shapers", self.name).capabilities.get("token_credit", False)
        )

    def shape(self, shaper: Shaper, group: Group, label: Difficulty | None = None) -> Shaped:
        """Rewards and advantages as a run would take them."""
        rewards = border.rewards(shaper.rewards(group, label), group, self.name)
        group = group.with_rewards(rewards)
        advantages = group_advantages(group.rewards, epsilon=1e-6, std="sample")
        group = group.with_advantages(advantages)
        return rewards, border.advantages(shaper.advantages(group, label), group, self.name)

    def play(self, make: Build, steps: int = 4, *, break_at: int | None = None) -> list[Shaped]:
        """What it makes of some steps; its state goes through JSON before step `break_at`."""
        shaper, shaped = make(), []
        for step in range(1, steps + 1):
            if step == break_at:
                shaper = reborn(shaper, make)
            shaped += [self.shape(shaper, group) for group in self.groups(step)]
        return shaped

    @pytest.mark.parametrize("label", [None, LABEL], ids=["unlabelled", "labelled"])
    def test_a_finite_number_per_sample_whatever_the_group(
        self, make: Build, label: Difficulty | None
    ) -> None:
        """Groups with alike rewards, masked samples, of one sample, extended and replayed ones."""
        for group in self.groups():
            self.shape(make(), group, label)

    def test_what_could_not_be_judged_gets_no_credit(self, make: Build) -> None:
        for group in self.groups():
            _, advantages = self.shape(make(), group)
            for i, (sample, advantage) in enumerate(zip(group.samples, advantages, strict=True)):
                given = max(map(abs, advantage), default=0) if isinstance(advantage, list) else advantage
                assert sample.judged or not given, (
                    f"advantage {advantage} for sample {i}, which could not be judged: "
                    f"rewards {group.rewards}, advantages {advantages}"
                )

    def test_advantages_per_token_are_declared(self, make: Build, token_credit: bool) -> None:
        given = [
            isinstance(advantage, list)
            for group in self.groups()
            for advantage in self.shape(make(), group)[1]
        ]
        assert token_credit or not any(given), (
            "it gives advantages per token without the capability 'token_credit'"
        )
        assert any(given) or not token_credit, (
            "it declares the capability 'token_credit' and gives no advantages per token"
        )

    def test_it_has_no_randomness_of_its_own(self, make: Build) -> None:
        random.seed(1)
        np.random.seed(1)
        first = self.play(make)
        random.seed(2)
        np.random.seed(2)
        assert _alike(self.play(make), first), "the same groups gave other numbers the second time"

    @pytest.mark.parametrize("break_at", [2, 4])
    def test_a_restored_state_goes_on_as_if_unbroken(self, make: Build, break_at: int) -> None:
        whole = self.play(make)
        assert _alike(self.play(make, break_at=break_at), whole), (
            f"other numbers after its state went through JSON at step {break_at}: "
            "state_dict leaves something out, or load_state_dict does not take it back"
        )


def _alike(shaped: Sequence[Shaped], others: Sequence[Shaped]) -> bool:
    """Equal numbers, up to the last bits."""
    return len(shaped) == len(others) and all(
        _same(one[0], other[0]) and _same(one[1], other[1]) for one, other in zip(shaped, others, strict=True)
    )


def _same(values: Any, others: Any) -> bool:
    if isinstance(values, list) and isinstance(others, list):
        return len(values) == len(others) and all(map(_same, values, others))
    if values is None or others is None or isinstance(values, list) or isinstance(others, list):
        return values is others
    return math.isclose(values, others, rel_tol=1e-12, abs_tol=1e-12)
