"""The suite of each plugin in verifiers.py."""

from harness.contract.records import Message, Task
from harness.testing import VerifierCase, VerifierConformance


class Steps(VerifierConformance):
    cases = [
        VerifierCase(
            Task(id="t", prompt=(Message("user", "6*7="),), verifier="exact", answer="42"),
            right=["6 = 6\n7 = 7\n42"],
            wrong=["6 = 6\n7 = 7\n41", "6 = 7\n42 or 43"],
        )
    ]


class TestWhole(Steps):
    name = "local/Whole"


class TestNoOptions(Steps):
    name = "local/NoOptions"


class TestUngated(Steps):
    name = "local/Ungated"


class TestMisplaced(Steps):
    name = "local/Misplaced"


class TestOverlapping(Steps):
    name = "local/Overlapping"
