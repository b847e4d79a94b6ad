"""What every gate must do."""

from __future__ import annotations

import random

import numpy as np
import pytest

from harness.contract.advantages import group_advantages
from harness.contract.members import member
from harness.contract.samples import Group
from harness.testing.on_groups import OnGroups
from harness.testing.plugin import Build
from harness.testing.stateful import reborn
from harness.training import border


class GateConformance(OnGroups):
    """Subclass with the registered name and options."""

    kind = "gates"

    def groups(self, step: int = 1) -> list[Group]:
        """The groups that it is tried on, with advantages as it meets them in a run."""
        return [
            group.with_advantages(group_advantages(group.rewards, epsilon=1e-6, std="sample"))
            for group in super().groups(step)
        ]

    def play(self, make: Build, steps: int = 4, *, break_at: int | None = None) -> list[bool]:
        """Its decisions over some steps; its state goes through JSON before step `break_at`."""
        gate, kept = make(), []
        for step in range(1, steps + 1):
            if step == break_at:
                gate = reborn(gate, make)
            kept += [border.keeps(gate.keep(group), self.name) for group in self.groups(step)]
        return kept

    def test_it_decides_on_every_group(self, make: Build) -> None:
        """Groups with alike rewards, masked samples, of one sample, extended and replayed ones."""
        for group in self.groups():
            border.keeps(make().keep(group), self.name)

    def test_some_group_reaches_the_loss(self, make: Build) -> None:
        assert any(self.play(make)), "it keeps no group whatever, so that every stage ends at its first step"

    def test_refills_are_bounded(self, make: Build) -> None:
        refills = int(member("gates", make(), "max_refills"))
        assert refills >= 0, f"max_refills is {refills}; allowed: 0 and above"

    def test_it_has_no_randomness_of_its_own(self, make: Build) -> None:
        random.seed(1)
        np.random.seed(1)
        first = self.play(make)
        random.seed(2)
        np.random.seed(2)
        assert self.play(make) == first, "the same groups were decided otherwise the second time"

    @pytest.mark.parametrize("break_at", [2, 4])
    def test_a_restored_state_goes_on_as_if_unbroken(self, make: Build, break_at: int) -> None:
        whole = self.play(make)
        assert self.play(make, break_at=break_at) == whole, (
            f"other decisions after its state went through JSON at step {break_at}: "
            "state_dict leaves something out, or load_state_dict does not take it back"
        )
