"""The suite of each plugin in curricula.py."""

from harness.testing import CurriculumConformance


class TestWhole(CurriculumConformance):
    name = "local/Whole"


class TestWholeSized(CurriculumConformance):
    name = "local/WholeSized"


class TestEmpty(CurriculumConformance):
    name = "local/Empty"


class TestSized(CurriculumConformance):
    name = "local/Sized"


class TestForgetful(CurriculumConformance):
    name = "local/Forgetful"


class TestStrangers(CurriculumConformance):
    name = "local/Strangers"
