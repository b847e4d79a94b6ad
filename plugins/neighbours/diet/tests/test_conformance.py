"""What every plugin of its kind must do."""

from harness.testing import ReporterConformance, ShaperConformance, TaskSourceConformance


class TestDiet(ShaperConformance):
    name = "staged-harness-diet/diet"


class TestDietOverTime(ShaperConformance):
    name = "staged-harness-diet/diet"
    options = {"difficulty": "posterior", "of": "right", "cycle": 10}


class TestDipo(ShaperConformance):
    name = "staged-harness-diet/dipo"


class TestDipoOverTime(ShaperConformance):
    name = "staged-harness-diet/dipo"
    options = {"difficulty": "posterior", "decay": 1.0}


class TestQuestions(TaskSourceConformance):
    name = "staged-harness-diet/worked-chain"
    options = {"strata": "2-4"}
    heldout = {"strata": "2-4", "split": "heldout"}


class TestDemonstrations(TaskSourceConformance):
    name = "staged-harness-diet/worked-chain"
    options = {"strata": "2-4", "show": {"worked": 1.0, "restated": 1.0}}
    heldout = {"strata": "2-4", "split": "heldout", "show": {"worked": 1.0, "restated": 1.0}}


class TestTokensSaved(ReporterConformance):
    name = "staged-harness-diet/tokens-saved"
