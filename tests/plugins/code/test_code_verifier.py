"""The `code` verifier: what every verifier must do, and what is its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from harness_rewards.rewards import AllPass, Fraction

from harness.contract.errors import DataError, TrainingError
from harness.contract.records import Message, PolicyRef, Rollout, RolloutKey, Sampling, Task
from harness.scoring import Scorer, VerifierSpec
from harness.testing.verifier import VerifierCase, VerifierConformance
from tests.support.sandboxes import build_context, contained, run, sandbox

ALL_PASS, FRACTION = AllPass(None, build_context()), Fraction(None, build_context())
ANSWER = {
    "kind": "stdio",
    "tests": [{"input": f"{n}\n", "output": f"{n * n}\n"} for n in range(4)],
    "limits": {"memory_mb": 256, "cpu_seconds": 2, "wall_seconds": 20},
}
TASK = Task(
    id="square", prompt=(Message("user", "Square it."),), verifier="code", answer=ANSWER, domain="code"
)
RIGHT = "Here:\n```python\nprint(int(input()) ** 2)\n```\n"
HALF = "```python\nn = int(input())\nprint(n * n if n < 2 else 0)\n```"
WRONG = "```python\nprint(-1)\n```"


def rollout(text: str) -> Rollout:
    return Rollout(
        key=RolloutKey("run", "eval", "", 0, "square", 0), prompt_ids=(1,), completion_ids=(2,), text=text,
        finish="stop", policy=PolicyRef(weights_sha="0"), sampling=Sampling(),
    )  # fmt: skip


def options(**given: Any) -> dict[str, Any]:
    return {"sandbox": {"name": contained(), "slots": 2, "memory_mb": 512}, **given}


class TestConformance(VerifierConformance):
    name = "code"
    options = {"sandbox": {"name": "auto", "slots": 2, "memory_mb": 512}}
    partial_credit = True
    truncated_may_pass = True  # a block that is closed is whole, whatever came after it
    cases = [VerifierCase(task=TASK, right=[RIGHT], wrong=[WRONG, HALF, "no block", "```python\n1 / 0\n```"])]

    @pytest.fixture(autouse=True)
    def _has_a_kind(self) -> None:
        contained()


@pytest.fixture(scope="module")
def verifier() -> Iterator[Any]:
    made = build_context().build("verifiers", "code", options(run="all_tests"))
    made.open()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("text", "status", "score", "passed"),
    [
        (RIGHT, "pass", 1.0, 4),
        (HALF, "partial", 0.5, 2),
        (WRONG, "fail", 0.0, 0),
        ("```python\nwhile True: pass\n```", "timeout", 0.0, 0),
        ("I do not know.", "no_answer", 0.0, 0),
    ],
)
def test_a_completion_is_judged_by_its_program(
    verifier: Any, text: str, status: str, score: float, passed: int
) -> None:
    verdict = verifier.verify(TASK, rollout(text))
    assert (verdict.status, verdict.score, verdict.tests_passed) == (status, score, passed)
    assert verdict.tests_total == 4
    assert verdict.complete
    assert FRACTION(verdict) == score
    assert ALL_PASS(verdict) == (status == "pass")
    assert verdict.verifier_hash == verifier.hash
    assert bool(verdict.reason) == (status != "pass")


def test_stopping_early_is_no_evidence_for_a_fraction() -> None:
    made = build_context().build("verifiers", "code", options(run="first_failure"))
    made.open()
    try:
        verdict = made.verify(TASK, rollout(HALF))
        assert (verdict.tests_run, verdict.complete) == (3, False)
        assert ALL_PASS(verdict) == 0.0
        with pytest.raises(TrainingError, match="needs all tests run"):
            FRACTION(verdict)
        assert FRACTION(made.verify(TASK, rollout(RIGHT))) == 1.0
    finally:
        made.close()


def test_what_decides_is_in_the_hash() -> None:
    build = build_context().build
    plain = build("verifiers", "code", {})
    assert plain.hash == build("verifiers", "code", {"sandbox": {"name": "docker"}}).hash
    assert plain.hash != build("verifiers", "code", {"run": "all_tests"}).hash
    assert plain.hash != build("verifiers", "code", {"time_factor": 2.0}).hash


def test_verifiers_of_a_process_share_one_sandbox(verifier: Any) -> None:
    other = build_context().build("verifiers", "code", options(run="first_failure"))
    other.open()
    try:
        assert other._lease.sandbox is verifier._lease.sandbox
    finally:
        other.close()
    assert verifier.verify(TASK, rollout(RIGHT)).status == "pass"


def test_an_answer_that_does_not_fit_names_the_task(verifier: Any) -> None:
    with pytest.raises(DataError, match="task 'square'"):
        verifier.verify(replace(TASK, answer="x"), rollout(RIGHT))


def spec(**given: Any) -> VerifierSpec:
    from harness.plugging.plugins import load

    registration = load().registry.find("verifiers", "code")
    return VerifierSpec.of(registration, options(**given), context=build_context())


def test_the_scorer_judges_many_at_a_time_in_order() -> None:
    texts = [RIGHT, WRONG, HALF, "none"] * 10
    with Scorer({"code": spec(run="all_tests")}, workers=1) as scorer:
        assert scorer.hashes()["code"]
        verdicts = scorer.score_many([(TASK, rollout(text)) for text in texts])
    assert [v.status for v in verdicts] == ["pass", "fail", "partial", "no_answer"] * 10


def test_a_slow_program_keeps_no_other_waiting() -> None:
    slow = "```python\nimport time; time.sleep(0.5); print(int(input()) ** 2)\n```"
    with Scorer({"code": spec()}, workers=1) as scorer:
        begun = [scorer.begin(TASK, rollout(text)) for text in (slow, RIGHT)]
        assert [future.result().status for future in begun] == ["pass", "pass"]


def test_what_the_verifier_raises_is_an_infra_error_of_that_sample() -> None:
    with Scorer({"code": spec()}, workers=1) as scorer:
        bad, good = scorer.score_many([(replace(TASK, answer=5), rollout(RIGHT)), (TASK, rollout(RIGHT))])
    assert (bad.status, bad.score) == ("infra_error", None)
    assert "DataError" in bad.reason
    assert good.status == "pass"
    assert not bad.judged


def test_a_sandbox_that_cannot_be_had_is_said_on_every_verdict() -> None:
    broken = replace(spec(), options={"sandbox": {"name": "unsafe-local"}})
    with Scorer({"code": broken}, workers=1) as scorer:
        (verdict,) = scorer.score_many([(TASK, rollout(RIGHT))])
    assert verdict.status == "infra_error"
    assert "i_know_what_i_do" in verdict.reason


def test_one_job_at_a_time_takes_a_slot() -> None:
    with sandbox(contained()) as pool:
        code = "import os; print(os.getuid())"
        uids = {run(pool, code).stdout for _ in range(3)}
    assert len(uids) == (3 if os.geteuid() == 0 and contained() == "namespaces" else 1)
