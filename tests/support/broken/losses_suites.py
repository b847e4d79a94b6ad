"""The suite of each plugin in losses.py."""

from harness.testing import LossConformance


class TestWhole(LossConformance):
    name = "local/Whole"


class TestTransposed(LossConformance):
    name = "local/Transposed"


class TestScalar(LossConformance):
    name = "local/Scalar"


class TestNothing(LossConformance):
    name = "local/Nothing"


class TestMisspelt(LossConformance):
    name = "local/Misspelt"


class TestNanOnAlikeRewards(LossConformance):
    name = "local/NanOnAlikeRewards"


class TestNanAtPadding(LossConformance):
    name = "local/NanAtPadding"


class TestDetached(LossConformance):
    name = "local/Detached"


class TestNoInputs(LossConformance):
    name = "local/NoInputs"


class TestOverRows(LossConformance):
    name = "local/OverRows"
