"""Evaluations of a run: what could not be judged is neither a score nor forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from harness.errors import TrainingError
from harness.evaluation import Evaluator, HeldoutSet
from harness.history import read_history
from harness.ledger import Ledger
from harness.protocols import Policy, RunInfo
from harness.records import PolicyRef, Request, Rollout, Sampling
from harness.spending import Spent
from tests.builders import rollout, task
from tests.live_session import LiveRun

HELDOUT = HeldoutSet("two", (task("2", id="a"), task("3", id="b", prompt="1+2=")), 2, Sampling())
RIGHT = {"a": "2", "b": "3"}


class Answers:
    """An engine that answers right, or not at all for some samples (protocol `Engine`)."""

    def __init__(self, lost: Sequence[tuple[str, int]] = ()) -> None:
        self.lost, self.asked = lost, 0

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        for request in requests:
            self.asked += 1
            gone = (request.key.task, request.key.sample) in self.lost
            yield rollout(
                "" if gone else RIGHT[request.key.task], "abort" if gone else "stop", key=request.key,
                reason="the server is gone" if gone else "",
            )  # fmt: skip

    def prompt_tokens(self, request: Request) -> int:
        return 1

    def sync_weights(self, policy: Policy) -> None: ...

    def close(self) -> None: ...


def evaluator(folder: Path) -> Evaluator:
    """As a run has it when it begins, or is resumed."""
    path = folder / "ledger.jsonl"
    history = read_history(path)
    return Evaluator(
        RunInfo(folder, "test", "main", 0), [HELDOUT], LiveRun(folder).scorer, Ledger(path), Spent(), True,
        done=dict(history.evaluations), partial=history.samples,
    )  # fmt: skip


ALL = [(name, i) for name in "ab" for i in range(2)]


def test_an_evaluation_of_which_nothing_could_be_judged_is_an_error_and_is_done_again(tmp_path: Path) -> None:
    first = evaluator(tmp_path)
    with pytest.raises(TrainingError, match=r"none of 4 samples could be judged: the server is gone"):
        first.evaluate("final", "s", 3, Answers(ALL))
    first.ledger.close()
    assert not read_history(tmp_path / "ledger.jsonl").evaluations

    mended, engine = evaluator(tmp_path), Answers()
    assert mended.evaluate("final", "s", 3, engine)["two/mean"] == 1.0
    assert engine.asked == 4


def test_a_sample_that_could_not_be_judged_is_counted_apart(tmp_path: Path) -> None:
    scores = evaluator(tmp_path).evaluate("final", "s", 3, Answers([("a", 0)]))
    assert scores["two/mean"] == 1.0
    assert scores["two/infra_errors"] == 1.0


def test_a_resumed_evaluation_asks_for_what_is_missing_and_what_was_lost(tmp_path: Path) -> None:
    first = evaluator(tmp_path)
    ref = PolicyRef(weights_sha="w")
    known = [
        rollout("2", key=request.key, policy=ref) if request.key.sample else
        rollout("", "abort", key=request.key, policy=ref)
        for request in first.requests("final", "s", 3) if request.key.task == "a"
    ]  # fmt: skip
    for one in known:
        verdict = first.scorer.begin(HELDOUT.tasks[0], one).result()
        first.ledger.append(
            "sample", name="final", heldout="two", stage="s", step=3, rollout=one, verdict=verdict
        )
    first.ledger.commit()
    first.ledger.close()

    engine = Answers()
    scores = evaluator(tmp_path).evaluate("final", "s", 3, engine)
    assert engine.asked == 3
    assert (scores["two/mean"], scores["two/infra_errors"]) == (1.0, 0.0)
