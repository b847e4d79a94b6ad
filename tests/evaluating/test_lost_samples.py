"""Samples of an evaluation that are lost: no score, a reason, and what a resumed run makes good."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from harness.contract.records import Rollout, RolloutKey, Sampling, Task, Verdict
from harness.evaluating.heldout import HeldoutSet
from harness.planning.plan import make_plans
from harness.plugging.plugins import load
from harness.readout import read_run
from harness.recipe import Recipe, RecipeFile
from harness.recipe.errors import validated
from harness.recording.ledger import Line, read
from harness.running.loop import proceed
from harness.running.parts import Parts
from harness.scoring import Scorer
from tests.evaluating.test_heldout_evaluation import HELDOUT, Answers, evaluator


def evaluations(folder: Path, kind: str = "evaluation") -> list[Line]:
    return [line for line in read(folder / "ledger.jsonl") if line["t"] == kind]


def test_a_set_that_lost_nothing_has_its_score_beside_one_that_did(tmp_path: Path) -> None:
    other = HeldoutSet("other", HELDOUT.tasks[1:], 2, Sampling())
    scores = evaluator(tmp_path, HELDOUT, other).evaluate("inside", "s", 3, Answers([("a", 0)]))
    assert scores["other/mean"] == 1.0
    assert not any(name.startswith("two/") for name in scores)


def test_an_evaluation_without_a_score_is_over_for_the_run_that_made_it(tmp_path: Path) -> None:
    one, engine = evaluator(tmp_path), Answers([("a", 0)])
    for _ in range(2):
        one.evaluate("inside", "s", 3, engine)
    assert engine.asked == 4
    assert not one.requests("inside", "s", 3)


def test_a_resumed_run_asks_again_for_what_was_lost_and_for_nothing_else(tmp_path: Path) -> None:
    first = evaluator(tmp_path)
    first.evaluate("after-stage", "s", 3, Answers([("a", 0)]))
    first.ledger.close()
    for lost, asked, mean in (([("a", 0)], 1, None), ([], 1, 1.0)):
        again, engine = evaluator(tmp_path), Answers(lost)
        assert again.evaluate("after-stage", "s", 3, engine).get("two/mean") == mean
        assert engine.asked == asked
        again.ledger.close()
    assert evaluator(tmp_path).is_done("after-stage", "s", 3)


def test_an_evaluation_has_all_that_a_benchmark_s_has(tmp_path: Path) -> None:
    scores = evaluator(tmp_path).evaluate("final", "s", 3, Answers())
    assert set(scores) == {
        f"two/{name}"
        for name in (
            "mean", "score", "tokens", "truncated", "no_answer", "timeout", "tail_not_extracted",
            "maj@2", "pass@1", "pass@2",
        )
    }  # fmt: skip


def test_the_samples_keys_name_set_and_stage(tmp_path: Path) -> None:
    """The random streams of evaluations hang on it, and so every score."""
    (first, *_) = evaluator(tmp_path).requests("after-stage", "s", 3)
    assert first.key == RolloutKey("test/main/0", "eval", "two@s", 3, "a", 0)
    (first, *_) = evaluator(tmp_path / "other").requests("before", "", 0)
    assert first.key == RolloutKey("test/main/0", "eval", "two@", 0, "a", 0)


def test_samples_are_written_if_they_are_wanted(tmp_path: Path) -> None:
    for keep in (True, False):
        one = replace(evaluator(tmp_path / str(keep)), keep_samples=keep)
        assert one.evaluate("inside", "s", 3, Answers())["two/mean"] == 1.0
        one.ledger.close()
        lines = [line for line in read(tmp_path / str(keep) / "ledger.jsonl") if line["t"] == "sample"]
        assert len(lines) == 4 * keep


RECIPE: dict[str, Any] = {
    "name": "lost",
    "model": {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"},
    "tasks": {"train": [{"name": "sim-irt", "count": 8}]},
    "trainer": {"name": "sim"},
    "evaluation": {
        "heldout": [{"name": "held", "tasks": [{"name": "sim-irt", "count": 3, "split": "heldout"}]}],
        "every_steps": 1,
    },
    "stages": [{"name": "s", "max_steps": 3, "rollout": {"n": 4, "batch": 4, "max_tokens": 4000}}],
}


class Losing:
    """A scorer that cannot judge the first sample of each stratum (the part of `Scorer` that is asked)."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scorer, name)

    def submit(self, task: Task, rollout: Rollout, done: Callable[[Verdict], None]) -> None:
        def changed(verdict: Verdict) -> None:
            if rollout.key.sample == 0 and rollout.key.task.endswith("/0"):
                verdict = replace(verdict, status="infra_error", score=None, reason="the sandbox broke")
            done(verdict)

        self._scorer.submit(task, rollout, changed)


def run(folder: Path, *, losing: bool) -> Path:
    """Run the recipe from where its ledger ends."""
    file = RecipeFile(folder / "recipe.toml", validated(Recipe, RECIPE, where="recipe"), dict(RECIPE))
    (plan,) = make_plans(file, load())
    with ExitStack() as stack:
        parts = Parts(plan, folder / "run", stack)
        if losing:
            parts.evaluator = replace(parts.evaluator, scorer=cast(Scorer, Losing(parts.evaluator.scorer)))
        proceed(parts)
    return folder / "run"


def keys(lines: list[Line]) -> set[str]:
    return {str(line["rollout"]["key"]) for line in lines}


def test_a_run_goes_on_without_its_scores_and_a_resume_gets_those_that_can_still_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    whole = read_run(run(tmp_path / "whole", losing=False))
    folder = run(tmp_path / "lost", losing=True)
    lost = read_run(folder)
    assert lost.finished_at
    assert [e.judged for e in lost.evaluations] == [False] * len(whole.evaluations)
    assert lost.curve("held", "rollouts") == []
    assert lost.weights_sha == whole.weights_sha

    samples = evaluations(folder, "sample")
    resumed = read_run(run(tmp_path / "lost", losing=False))
    assert resumed.finished_at
    assert {e.name for e in resumed.evaluations if not e.judged} == {"inside"}, "their weights are gone"
    had = [e for e in whole.evaluations if e.name != "inside"]
    assert [e.rate for e in resumed.evaluations if e.name != "inside"] == [e.rate for e in had]
    asked = evaluations(folder, "sample")[len(samples) :]
    lines = [line for line in samples if line["verdict"]["status"] == "infra_error"]
    gone = [line for line in lines if line["name"] != "inside"]
    assert keys(asked) == keys(gone), "what was lost, and nothing else"

    before = (folder / "ledger.jsonl").read_bytes()
    run(tmp_path / "lost", losing=False)
    assert (folder / "ledger.jsonl").read_bytes() == before, "there is nothing left to do"
