"""What every plugin of its kind must do."""

import pytest
from harness.contract import Message, Policy, Task
from harness.testing import (
    BenchmarkConformance,
    EngineConformance,
    ProfileConformance,
    TaskSourceConformance,
    VerifierCase,
    VerifierConformance,
)

PROGRAM = "a=3\nb=7\na=b-2\nprint(a)\n"
TASK = Task(
    id="t",
    prompt=(Message("user", PROGRAM),),
    verifier="staged-harness-codethinker/steps",
    answer="5",
    meta={"steps": ["a=3", "b=7", "a=5"]},
)


class TestTracedPrograms(TaskSourceConformance):
    name = "staged-harness-codethinker/traced-programs"
    heldout = {"split": "heldout"}


class TestAssignmentsAlone(TaskSourceConformance):
    name = "staged-harness-codethinker/traced-programs"
    options = {"statements": ["assign"], "strata": "2-3", "variables": 1, "seed": 7}


class TestSteps(VerifierConformance):
    name = "staged-harness-codethinker/steps"
    cases = [
        VerifierCase(
            TASK,
            right=["a=3\nb=7\na=5\n>5"],
            wrong=["", "5", "a=3\nb=7\na=5\n>4", "a=3\nb=7\na=5\n>5\n", "a=3\nb=7\na=5\n>5\n>6", "> 5"],
        )
    ]


class TestBeam(EngineConformance):
    name = "staged-harness-codethinker/beam"
    options = {
        "budget": 16,
        "segment": 4,
        "margin": 0.05,
        "engine": {"name": "transformers", "prompt": "raw"},
    }
    prompts = ["a=3\nprint(a)\n", "b=4\nprint(b)\n"]
    groups = True

    @pytest.fixture
    def policy(self, tiny: Policy) -> Policy:
        return tiny


class TestBeamThatReturnsWhatItPrunes(TestBeam):
    options = {**TestBeam.options, "pruned": "return"}


class TestLiteral(VerifierConformance):
    name = "staged-harness-codethinker/literal"
    cases = [
        VerifierCase(
            Task(id="t", prompt=(Message("user", "f(1) =="),), verifier="literal", answer="[(4, 1), 'x']"),
            right=["[(4,1),'x']", 'so\n[ANSWER]assert f(1) == [(4, 1), "x"][/ANSWER]'],
            wrong=["", "[(4, 1)]", "[ANSWER][/ANSWER]", "f(1)", "[[4, 1], 'x']", "[(4, 1), 'x'] * 1"],
        )
    ]


class TestPredictOutput(BenchmarkConformance):
    name = "staged-harness-codethinker/predict-output"
    problems = 200


class TestPredictOutputOfOneVariable(BenchmarkConformance):
    name = "staged-harness-codethinker/predict-output"
    options = {"part": "one-variable"}
    problems = 200


class TestTraces(ProfileConformance):
    name = "staged-harness-codethinker/traces"


class TestCruxEvalO(ProfileConformance):
    name = "staged-harness-codethinker/cruxeval-o"
