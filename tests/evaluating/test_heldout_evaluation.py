"""Evaluations of a run: what could not be judged is neither a score nor forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.contract.errors import TrainingError
from harness.contract.protocols import Policy, RunInfo
from harness.contract.records import PolicyRef, Request, Rollout, Sampling
from harness.evaluating.heldout import Evaluator, HeldoutSet
from harness.plugging.plugins import load
from harness.readout import read_run
from harness.recipe.load import merged
from harness.recording.history import read_history
from harness.recording.ledger import Ledger, read
from harness.recording.spending import Spent
from harness.testing import Workbench
from harness.testing.workbench import Recorded
from tests.support.builders import rollout, task
from tests.support.live_session import LiveRun

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


def evaluator(folder: Path, *sets: HeldoutSet) -> Evaluator:
    """As a run has it when it begins, or is resumed."""
    path = folder / "ledger.jsonl"
    history = read_history(path)
    return Evaluator(
        RunInfo(folder, "test", "main", 0), sets or [HELDOUT], LiveRun(folder).scorer, Ledger(path), Spent(),
        keep_samples=True, done=dict(history.evaluations), partial=history.samples, latest=history.latest,
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


def test_there_is_no_score_while_a_sample_is_lost(tmp_path: Path) -> None:
    one = evaluator(tmp_path)
    assert one.evaluate("inside", "s", 3, Answers([("a", 0)])) == {}
    one.ledger.close()
    (line,) = (line for line in read(tmp_path / "ledger.jsonl") if line["t"] == "evaluation")
    reason = "1 of 4 samples are missing, 1 of which the engine gave up (first: 'a')"
    assert (line["scores"], line["refused"]) == ({}, reason)
    assert {name: (c["samples"], c["infra"]) for name, c in line["problems"].items()} == {
        "a": (1, 1), "b": (2, 0),
    }  # fmt: skip


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
    again = evaluator(tmp_path)
    scores = again.evaluate("final", "s", 3, engine)
    again.ledger.close()
    assert engine.asked == 3
    assert scores["two/mean"] == 1.0
    (line,) = (line for line in read(tmp_path / "ledger.jsonl") if line["t"] == "evaluation")
    assert {name: c["infra"] for name, c in line["problems"].items()} == {"a": 0, "b": 0}


RECIPE: dict[str, Any] = {
    "name": "once",
    "model": {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"},
    "tasks": {"train": [{"name": "sim-irt", "count": 8}]},
    "trainer": {"name": "sim"},
    "evaluation": {
        "heldout": [
            {
                "name": name,
                "tasks": [{"name": "sim-irt", "count": 3, "split": "heldout", "prefix": name}],
                "per_stratum": 4,
            }
            for name in ("held", "other")
        ]
    },
    "stages": [
        {"name": name, "max_steps": 1, "rollout": {"n": 4, "batch": 4, "max_tokens": 4000}} for name in "ab"
    ],
}


def evaluations(record: Recorded) -> list[Any]:
    """(name, stage, whose it is) of each evaluation of the first held-out set."""
    lines = (line for line in record.lines("evaluation") if line["heldout"] == "held")
    return [(line["name"], line["stage"], line.get("same_as")) for line in lines]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return Workbench(tmp_path, load())


def test_the_last_policy_is_evaluated_once(bench: Workbench) -> None:
    record = bench.run(RECIPE)
    assert evaluations(record) == [
        ("before", "", None), ("after-stage", "a", None),
        ("after-stage", "b", None), ("final", "b", "after-stage"),
    ]  # fmt: skip
    keys = [str(line["rollout"]["key"]) for line in record.lines("sample")]
    assert len(keys) == len(set(keys)) == 3 * 2 * 12, "nothing is generated twice"
    for name in ("held", "other"):
        after, final = [line for line in record.lines("evaluation") if line["heldout"] == name][-2:]
        assert [final[k] for k in ("scores", "strata", "problems")] == [
            after[k] for k in ("scores", "strata", "problems")
        ]
        assert final["cpu_seconds"] == 0, "its cost is told once"
        assert final["spent_rollouts"] == after["spent_rollouts"]
    run = read_run(record.folder)
    assert run.on("held")[-1].problems, "reports and boards read it as if it had been made"


def test_a_run_that_was_killed_before_its_final_evaluation_takes_it_over_too(bench: Workbench) -> None:
    whole = bench.run(RECIPE)
    ledger = whole.folder / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if b'"same_as"' in line)
    for kept in (first, first + 1):  # before the first held-out set, and between the two
        ledger.write_bytes(b"".join(lines[:kept]))
        resumed = bench.run(RECIPE)
        ends = [line for line in resumed.lines("evaluation") if line["name"] == "final"]
        assert [(line["heldout"], line["same_as"]) for line in ends] == [
            ("held", "after-stage"), ("other", "after-stage"),
        ]  # fmt: skip
        assert len(resumed.lines("sample")) == 3 * 2 * 12


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"budget": {"rollouts": 1}}, ("", "before")),
        ({"evaluation": {"each_stage": False}}, ("b", None)),
    ],
    ids=["nothing trained", "not after stages"],
)
def test_a_final_evaluation_is_another_s_only_where_that_was_of_the_same_policy(
    bench: Workbench, changes: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    record = bench.run(merged(RECIPE, changes))
    assert evaluations(record) == [("before", "", None), ("final", *expected)]


@pytest.mark.parametrize("each_stage", [True, False])
def test_a_policy_that_nothing_trains_is_evaluated_once(bench: Workbench, each_stage: bool) -> None:
    """A study that only measures difficulty; and one that measures before it trains."""
    measure = {"name": "measure", "kind": "label"}
    changes = {"stages": [measure], "evaluation": {**RECIPE["evaluation"], "each_stage": each_stage}}
    record = bench.run(RECIPE | changes)
    middle = [("after-stage", "measure", "before")] if each_stage else []
    last = "after-stage" if each_stage else "before"
    assert evaluations(record) == [("before", "", None), *middle, ("final", "measure", last)]
    assert len(record.lines("sample")) == 2 * 12
    trained = bench.run(RECIPE | {"stages": [measure, *RECIPE["stages"][:1]]}, "trained")
    assert evaluations(trained) == [
        ("before", "", None), ("after-stage", "measure", "before"),
        ("after-stage", "a", None), ("final", "a", "after-stage"),
    ]  # fmt: skip


def test_an_evaluation_that_lost_samples_is_made_again(tmp_path: Path) -> None:
    one = evaluator(tmp_path)
    assert one.evaluate("after-stage", "s", 3, Answers([("a", 0)])) == {}
    one.repeat("final", "s", 3)
    assert not one.is_done("final", "s", 3)
    assert one.evaluate("final", "s", 3, Answers())["two/mean"] == 1.0


def test_an_evaluation_inside_a_stage_is_of_live_weights_and_not_taken_over(tmp_path: Path) -> None:
    one = evaluator(tmp_path)
    one.evaluate("inside", "s", 3, Answers())
    one.repeat("after-stage", "s", 3)
    assert not one.is_done("after-stage", "s", 3)
