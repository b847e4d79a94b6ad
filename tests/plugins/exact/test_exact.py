"""Verifier `exact`."""

import pytest
from harness_exact.exact import Exact, ExactOptions

from harness.contract.errors import DataError
from harness.contract.records import Finish
from tests.support.builders import context, rollout, task


@pytest.mark.parametrize(
    ("text", "answer", "finish", "status", "extracted"),
    [
        ("431", "431", "stop", "pass", "431"),
        (" 431\n", "431", "stop", "pass", "431"),
        ("7", 7, "stop", "pass", "7"),
        ("4310", "431", "stop", "fail", "4310"),
        ("the answer is 431", "431", "stop", "fail", "the answer is 431"),
        ("", "431", "stop", "no_answer", None),
        ("  ", "431", "stop", "no_answer", None),
        ("431", "431", "length", "fail", "431"),
        ("", "431", "length", "no_answer", None),
        ("", "", "stop", "pass", ""),
    ],
)
def test_verdicts(text: str, answer: object, finish: Finish, status: str, extracted: str | None) -> None:
    verdict = Exact(ExactOptions(), context()).verify(task(answer), rollout(text, finish))
    assert (verdict.status, verdict.extracted) == (status, extracted)
    assert verdict.score == {"pass": 1.0, "infra_error": None}.get(status, 0.0)


def test_options_change_what_passes_and_the_hash() -> None:
    plain = Exact(ExactOptions(), context())
    strict = Exact(ExactOptions(strip=False), context())
    loose = Exact(ExactOptions(ignore_case=True), context())
    assert strict.verify(task("a"), rollout(" a")).status == "fail"
    assert plain.verify(task("a"), rollout("A")).status == "fail"
    assert loose.verify(task("a"), rollout("A")).status == "pass"
    assert len({plain.hash, strict.hash, loose.hash}) == 3
    assert Exact(ExactOptions(), context()).hash == plain.hash


@pytest.mark.parametrize("answer", [True, 1.5, None, ["a"]])
def test_answers_of_other_kinds_are_faults_of_the_data(answer: object) -> None:
    with pytest.raises(DataError, match="neither text nor an integer"):
        Exact(ExactOptions(), context()).verify(task(answer), rollout("a"))
