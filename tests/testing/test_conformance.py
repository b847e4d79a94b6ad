"""First-party plugins conform: one class a plugin. Trainers stand in files of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.contract.protocols import Policy
from harness.contract.records import Message, PolicyRef, Task
from harness.testing import (
    CurriculumConformance,
    EngineConformance,
    EstimatorConformance,
    TaskSourceConformance,
    VerifierCase,
    VerifierConformance,
)
from harness.testing.engine import Decode
from harness.testing.plugin import Build


class TestUniform(CurriculumConformance):
    name = "uniform"


class TestStaged(CurriculumConformance):
    name = "staged"
    options = {"mastery": 0.8}


class TestStagedEasyFirst(CurriculumConformance):
    name = "staged"
    options = {"order": "easy-first", "pace_steps": 4}


class TestFrozenFilter(CurriculumConformance):
    name = "frozen-filter"


class TestLearnability(CurriculumConformance):
    name = "learnability"


class TestLearnabilityOfGroups(CurriculumConformance):
    name = "learnability"
    options = {"utility": "mixed", "explore": "mean", "floor": 0.02}


class TestPassRate(EstimatorConformance):
    name = "pass-rate"
    options = {"tasks": 16, "samples": 4}


class TestPassRateFixed(EstimatorConformance):
    name = "pass-rate"
    options = {"tasks": 16, "samples": 4, "sequential": False}


class TestSimIrtStrata(TaskSourceConformance):
    name = "sim-irt"
    options = {"spread": 0.5, "discrimination_spread": 0.2}
    heldout = {"spread": 0.5, "discrimination_spread": 0.2, "split": "heldout"}


class TestSimIrtTasks(TaskSourceConformance):
    name = "sim-irt"
    options = {"form": "tasks", "count": 100}
    heldout = {"form": "tasks", "count": 100, "split": "heldout"}


class TestSimIrtWithPrefix(TaskSourceConformance):
    name = "sim-irt"
    options = {"prefix": "math", "domain": "math"}
    heldout = options | {"split": "heldout"}


class TestArithmeticChain(TaskSourceConformance):
    name = "arithmetic-chain"
    options = {"strata": "3-12"}
    heldout = {"strata": "3-12", "split": "heldout"}


class TestJsonl(TaskSourceConformance):
    name = "jsonl"
    options = {"path": "problems.jsonl", "split": "train", "heldout_share": 0.4, "verifier": "exact"}
    heldout = options | {"split": "heldout"}

    @pytest.fixture(autouse=True)
    def problems(self, tmp_path: Path) -> None:
        rows = ({"id": f"row-{i}", "problem": f"{i}+{i}=", "answer": str(2 * i)} for i in range(50))
        (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


class TestExact(VerifierConformance):
    name = "exact"
    cases = [
        VerifierCase(
            Task(id="t", prompt=(Message("user", "9-5+9="),), verifier="exact", answer="43"),
            right=["43", " 43\n"],
            wrong=["34", "4", "433", "4 3", "43.", "the answer is 43", "-43"],
        ),
        VerifierCase(
            Task(id="u", prompt=(Message("user", "6*7="),), verifier="exact", answer=42),
            right=["42"],
            wrong=["42.0", "042", "4 2", "forty-two"],
        ),
    ]


class TestLastNumber(VerifierConformance):
    name = "last-number"
    truncated_may_pass = True
    cases = [
        VerifierCase(
            Task(id="t", prompt=(Message("user", "6*7="),), verifier="last-number", answer="42"),
            right=[r"6 times 7 is \boxed{42}", "it is 41, no: 42.", "so, in the end, the answer is 42 \n"],
            wrong=[r"42, no: \boxed{41}", "42 or 43", "the answer is -42", "42.5", "none", r"\boxed{}"],
        )
    ]


class TestEcho(EngineConformance):
    name = "echo"
    options = {"text": "forty-two"}
    prompts = ["6*7=", "7*6="]
    stochastic = False

    @pytest.fixture
    def decode(self) -> Decode:
        return lambda ids: bytes(ids).decode(errors="ignore")


class TestSimEngine(EngineConformance):
    name = "sim"
    prompts = ["Simulated item x with a=1.0 b=0.5", "Simulated item y with a=0.7 b=-0.5"]
    max_tokens = 128

    @pytest.fixture
    def policy(self, harness_build: Build) -> Policy:
        files = harness_build("models", "sim").load()
        return Policy(PolicyRef(weights_sha=files.weights_sha), files)
