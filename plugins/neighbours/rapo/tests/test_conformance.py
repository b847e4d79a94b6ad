"""What every plugin of its kind must do."""

from harness.testing import LossConformance


class TestSampled(LossConformance):
    name = "staged-harness-rapo/forward-kl"


class TestBounded(LossConformance):
    name = "staged-harness-rapo/forward-kl"
    options = {"limit": 5.0, "by": "reward", "low": 0.0}


class TestExact(LossConformance):
    name = "staged-harness-rapo/forward-kl"
    options = {"estimator": "exact"}
