"""The suite of each plugin in rewards.py."""

from harness.testing import RewardConformance


class TestWhole(RewardConformance):
    name = "local/Whole"


class TestWholePaysSteps(RewardConformance):
    name = "local/WholePaysSteps"
    pays_steps_of_wrong_answers = True


class TestUngated(RewardConformance):
    name = "local/Ungated"


class TestNan(RewardConformance):
    name = "local/Nan"


class TestBackwards(RewardConformance):
    name = "local/Backwards"


class TestForgetful(RewardConformance):
    name = "local/Forgetful"
