"""The suite of each plugin in estimators.py."""

from harness.testing import EstimatorConformance


class TestWhole(EstimatorConformance):
    name = "local/Whole"


class TestSwapped(EstimatorConformance):
    name = "local/Swapped"


class TestStoring(EstimatorConformance):
    name = "local/Storing"


class TestWandering(EstimatorConformance):
    name = "local/Wandering"


class TestDrifting(EstimatorConformance):
    name = "local/Drifting"
