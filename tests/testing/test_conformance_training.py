"""First-party gates, rewards and shapers conform, and so do loss terms like those that plugins bring."""

from __future__ import annotations

from harness.testing import GateConformance, RewardConformance, ShaperConformance


class TestMixedOutcomes(GateConformance):
    name = "mixed-outcomes"


class TestLengthPenalty(ShaperConformance):
    name = "length-penalty"


class TestLengthPenaltyAtItsStrongest(ShaperConformance):
    name = "length-penalty"
    options = {"strength": 0.9}


class TestAllPass(RewardConformance):
    name = "all_pass"


class TestFraction(RewardConformance):
    name = "fraction"


class TestGated(RewardConformance):
    name = "gated"


class TestGatedFraction(RewardConformance):
    name = "gated"
    options = {"outcome": "fraction", "weight": 2.0, "right": 0.5}
