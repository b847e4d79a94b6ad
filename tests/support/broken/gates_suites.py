"""The suite of each plugin in gates.py."""

from harness.testing import GateConformance


class TestWhole(GateConformance):
    name = "local/Whole"


class TestShut(GateConformance):
    name = "local/Shut"


class TestVague(GateConformance):
    name = "local/Vague"


class TestForgetful(GateConformance):
    name = "local/Forgetful"


class TestEndless(GateConformance):
    name = "local/Endless"
