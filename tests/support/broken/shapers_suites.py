"""The suite of each plugin in shapers.py."""

from harness.testing import ShaperConformance


class TestWhole(ShaperConformance):
    name = "local/Whole"


class TestWholeCrediting(ShaperConformance):
    name = "local/Crediting"


class TestTooMany(ShaperConformance):
    name = "local/TooMany"


class TestTooFew(ShaperConformance):
    name = "local/TooFew"


class TestNanOnAlikeRewards(ShaperConformance):
    name = "local/NanOnAlikeRewards"


class TestMapping(ShaperConformance):
    name = "local/Mapping"


class TestUnmasking(ShaperConformance):
    name = "local/Unmasking"


class TestBlaming(ShaperConformance):
    name = "local/Blaming"


class TestForgetful(ShaperConformance):
    name = "local/Forgetful"


class TestOwnDice(ShaperConformance):
    name = "local/OwnDice"


class TestUndeclared(ShaperConformance):
    name = "local/Undeclared"
