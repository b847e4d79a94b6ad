"""The requests of an evaluation: made when they are asked for, whatever their number."""

from __future__ import annotations

import tracemalloc

import pytest

from harness.contract.records import Message, Sampling, Task
from harness.evaluating.recording import Work
from harness.evaluating.sets import EvaluationSet
from harness.statistics.tally import Tally


def problems(samples: int) -> EvaluationSet:
    tasks = tuple(
        Task(id=f"t-{i}", prompt=(Message("user", f"{i} + 1 = ?"),), answer=str(i + 1), verifier="math")
        for i in range(3)
    )
    return EvaluationSet("sums", tasks, samples, Sampling())


def test_what_is_missing_is_asked_problem_by_problem() -> None:
    known = Tally()
    known.add(1, status="pass", score=1.0, extracted="2", finish="stop", tokens=3)
    work = Work([problems(2)], {"sums": {"t-0": known}}, "eval/0")
    assert [(r.key.task, r.key.sample) for r in work] == [
        ("t-0", 0), ("t-1", 0), ("t-1", 1), ("t-2", 0), ("t-2", 1),
    ]  # fmt: skip
    assert work[1:3] == list(work)[1:3]


@pytest.mark.parametrize("kept", [True, False])
def test_log_probabilities_are_asked_for_if_token_ids_are_kept(kept: bool) -> None:
    assert {r.logprobs for r in Work([problems(2)], {}, "eval/0", token_ids=kept)} == {kept}


def test_a_request_costs_twelve_bytes_until_it_is_asked_for() -> None:
    def held(samples: int) -> int:
        tracemalloc.start()
        work = Work([problems(samples)], {}, "eval/0")
        assert sum(1 for _ in work) == 3 * samples
        now, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return now

    assert held(20_000) - held(10_000) < 3 * 10_000 * 12 * 1.5
