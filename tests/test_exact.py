"""Verifier `exact`."""

from pathlib import Path

import pytest
from harness_exact.exact import Exact, ExactOptions

from harness.errors import DataError
from harness.protocols import BuildContext
from harness.records import Finish, Message, PolicyRef, Rollout, RolloutKey, Sampling, Task

CONTEXT = BuildContext(seed=0, cache=Path("unused"), data=None, build=lambda *_: None)


def task(answer: object) -> Task:
    return Task(id="t", prompt=(Message("user", "1+1="),), verifier="exact", answer=answer)


def rollout(text: str, finish: Finish = "stop") -> Rollout:
    return Rollout(
        key=RolloutKey("r/a/0", "eval", "s", 0, "t", 0),
        prompt_ids=(),
        completion_ids=(),
        text=text,
        finish=finish,
        policy=PolicyRef(weights_sha="w"),
        sampling=Sampling(),
    )


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
        ("431", "431", "abort", "infra_error", None),
    ],
)
def test_verdicts(text: str, answer: object, finish: Finish, status: str, extracted: str | None) -> None:
    verdict = Exact(ExactOptions(), CONTEXT).verify(task(answer), rollout(text, finish))
    assert (verdict.status, verdict.extracted) == (status, extracted)
    assert verdict.score == {"pass": 1.0, "infra_error": None}.get(status, 0.0)


def test_options_change_what_passes_and_the_hash() -> None:
    plain = Exact(ExactOptions(), CONTEXT)
    strict = Exact(ExactOptions(strip=False), CONTEXT)
    loose = Exact(ExactOptions(ignore_case=True), CONTEXT)
    assert strict.verify(task("a"), rollout(" a")).status == "fail"
    assert plain.verify(task("a"), rollout("A")).status == "fail"
    assert loose.verify(task("a"), rollout("A")).status == "pass"
    assert len({plain.hash, strict.hash, loose.hash}) == 3
    assert Exact(ExactOptions(), CONTEXT).hash == plain.hash


@pytest.mark.parametrize("answer", [True, 1.5, None, ["a"]])
def test_answers_of_other_kinds_are_faults_of_the_data(answer: object) -> None:
    with pytest.raises(DataError, match="neither text nor an integer"):
        Exact(ExactOptions(), CONTEXT).verify(task(answer), rollout("a"))
