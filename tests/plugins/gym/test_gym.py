"""Source and verifier `reasoning-gym`."""

from dataclasses import replace
from typing import Any

import pytest
from harness_gym.options import GymOptions, GymVerifierOptions
from harness_gym.source import Gym
from harness_gym.verifier import GymVerifier
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract.errors import DataError, RecipeError
from harness.contract.records import Task, Verdict, decode, encode
from harness.recipe.errors import validated
from harness.testing import TaskSourceConformance, VerifierCase, VerifierConformance
from tests.support.builders import context, rollout

pytest.importorskip("reasoning_gym", reason="needs the extra 'gym'")


class TestChainSum(TaskSourceConformance):
    name = "reasoning-gym"
    options = {"dataset": "chain_sum", "levels": "2-4"}
    heldout = options | {"split": "heldout"}


class TestGymVerifier(VerifierConformance):
    name = "reasoning-gym"
    partial_credit = True
    truncated_may_pass = True
    task = Gym(GymOptions(dataset="chain_sum", levels=(4,)), context()).draw("chain_sum/4", 0)
    gold = str(task.answer)
    cases = [
        VerifierCase(
            task,
            right=[f"<answer>{gold}</answer>", f"so it is\n<answer> {gold} </answer>."],
            wrong=[
                "<answer>perhaps</answer>",
                f"{gold} <answer>{gold}0</answer>",
                f"<answer>{gold} or 7</answer>",
            ],
        )
    ]


def source(dataset: str = "chain_sum", run_seed: int = 0, **options: Any) -> Gym:
    made = validated(GymOptions, {"dataset": dataset} | options, where="test")
    return Gym(made, context(seed=run_seed))


def judged(task: Task, text: str, finish: str = "stop", **options: Any) -> Verdict:
    verifier = GymVerifier(validated(GymVerifierOptions, options, where="test"), context())
    verifier.open()
    return verifier.verify(task, rollout(text, finish))  # type: ignore[arg-type]


def test_levels_of_the_curriculum_are_strata() -> None:
    made = source(levels="0-2")
    assert made.endless
    assert list(made.subjects()) == ["chain_sum/0", "chain_sum/1", "chain_sum/2"]
    assert len(source().subjects()) == 11
    task = made.draw("chain_sum/1", 4)
    assert task.id == "reasoning-gym/chain_sum/1/train/4"
    assert (task.stratum, task.domain, task.tags) == ("chain_sum/1", "arithmetic", ("chain_sum",))
    question = task.prompt[0].content
    assert question.startswith("State the final answer")
    assert str(eval(question.partition(":")[2].rstrip(" ="))) == task.answer


def test_a_level_may_hold_the_levels_below() -> None:
    exact, up_to = (source("chain_sum", levels=[3], spread=spread) for spread in ("exact", "up-to"))
    assert exact.draw("chain_sum/3", 0).meta["config"]["min_terms"] == 5
    assert up_to.draw("chain_sum/3", 0).meta["config"]["min_terms"] == 2


def test_strata_may_be_configurations_of_ones_own() -> None:
    made = source(
        strata={"2x1": {"min_terms": 2, "max_terms": 2}, "3x1": {"min_terms": 3, "max_terms": 3}},
        config={"min_digits": 1, "max_digits": 1},
        template="{problem} Say only the number.",
        verifier="last-number",
    )
    assert list(made.subjects()) == ["chain_sum/2x1", "chain_sum/3x1"]
    task = made.draw("chain_sum/3x1", 0)
    assert task.prompt[0].content.endswith("= Say only the number.")
    assert task.verifier == "last-number"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9), st.integers(-3, 10**6), st.sampled_from(["train", "heldout"]))
def test_drawing_is_pure_and_ids_rebuild_tasks(index: int, seed: int, split: str) -> None:
    task = source(levels="0-1", seed=seed, split=split).draw("chain_sum/1", index)
    assert source(levels="0-1", seed=seed, split=split).draw("chain_sum/1", index) == task
    assert source(levels="1", run_seed=9, split=split).get(task.id) == task
    assert decode(encode(task), Task) == task


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from(["chain_sum", "gcd", "products"]))
def test_train_and_held_out_never_share_a_question(seed: int, other: int, dataset: str) -> None:
    train = source(dataset, levels="0", seed=seed)
    held = source(dataset, levels="0", seed=other, split="heldout")
    asked = {train.draw(f"{dataset}/0", i).prompt[0].content for i in range(40)}
    assert not asked & {held.draw(f"{dataset}/0", i).prompt[0].content for i in range(20)}


def test_training_follows_the_runs_seed_and_held_out_tasks_do_not() -> None:
    for split, same in (("train", False), ("heldout", True)):
        one, two = (source(run_seed=s, split=split).draw("chain_sum/4", 0) for s in (1, 2))
        assert (one == two) is same


@pytest.mark.parametrize(
    "dataset", ["spell_backward", "syllogism", "survo", "propositional_logic", "word_ladder", "leg_counting"]
)
def test_gold_answers_pass_and_others_do_not(dataset: str) -> None:
    spread = "up-to" if dataset == "survo" else "exact"
    task = source(dataset, levels="0", spread=spread).draw(f"{dataset}/0", 3)
    gold = task.answer
    if gold is not None:
        assert judged(task, str(gold)).status == "pass"
        assert judged(task, f"so <answer>{gold}</answer> it is").score == 1.0
    wrong = judged(task, "<answer>perhaps</answer>")
    assert wrong.status == "fail"
    assert wrong.score is not None
    assert wrong.score < 0.1


def test_any_worker_can_judge_a_task_that_was_read_from_json() -> None:
    task = source(levels="2").draw("chain_sum/2", 0)
    read = decode(encode(task), Task)
    assert judged(read, str(task.answer)).status == "pass"


@pytest.mark.parametrize(
    ("text", "finish", "extract", "status"),
    [
        ("<answer>{}</answer>", "stop", "tag", "pass"),
        ("<answer>1</answer><answer> {} </answer>", "stop", "tag", "pass"),
        ("<answer><answer>{}</answer>", "stop", "tag", "pass"),
        ("{}", "stop", "tag", "no_answer"),
        ("{}", "stop", "whole", "pass"),
        ("<answer>{}</answer>", "stop", "whole", "partial"),
        ("{}", "length", "tag-or-whole", "no_answer"),
        ("<answer>{}</answer> and", "length", "tag-or-whole", "pass"),
        ("", "stop", "tag-or-whole", "no_answer"),
        ("<answer></answer>", "stop", "tag-or-whole", "no_answer"),
    ],
)
def test_how_answers_are_taken_out(text: str, finish: str, extract: str, status: str) -> None:
    task = source(levels="5").draw("chain_sum/5", 0)
    assert judged(task, text.format(task.answer), finish, extract=extract).status == status


def test_partly_right_answers_have_a_status_of_their_own() -> None:
    task = source("spell_backward", levels="0").draw("spell_backward/0", 0)
    near_miss = task.answer[:-1] + ("a" if task.answer[-1] != "a" else "b")
    verdict = judged(task, near_miss)
    assert verdict.status == "partial"
    assert verdict.score is not None
    assert 0 < verdict.score < 1
    assert judged(task, near_miss, partial_above=1.0).status == "fail"


def test_tasks_of_elsewhere_and_of_other_versions_are_refused() -> None:
    task = source(levels="0").draw("chain_sum/0", 0)
    with pytest.raises(DataError, match="its meta lacks 'dataset'"):
        judged(replace(task, meta={}), "1")
    with pytest.raises(DataError, match="another task is made of its number"):
        judged(replace(task, answer="x"), "1")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        (
            {"dataset": "chain_sums"},
            DataError,
            "no data set 'chain_sums'\n  allowed: did you mean 'chain_sum'",
        ),
        ({"levels": "0-11"}, DataError, "has no level 11\n  allowed: 0 to 10"),
        ({"dataset": "gsm_symbolic"}, DataError, "has no curriculum"),
        (
            {"dataset": "knight_swap", "levels": "0"},
            DataError,
            "stratum 'knight_swap/0': refuses its configuration",
        ),
        ({"strata": {"a": {"min_term": 1}}}, DataError, "unexpected keyword argument 'min_term'"),
        ({"strata": {"a": {"min_terms": 0}}}, DataError, "min_terms must be positive"),
        ({"strata": {"a": {"seed": 1}}}, RecipeError, "strata.a: 'seed' is the source's own to set"),
        ({"levels": "0", "strata": {"a": {}}}, RecipeError, "give one"),
        ({"strata": {"a/b": {}}}, RecipeError, "should match pattern"),
    ],
)
def test_what_does_not_fit_is_named(options: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error) as caught:
        source(**options)
    assert said in str(caught.value)


def test_unknown_strata_and_ids_are_named() -> None:
    made = source(levels="0-1")
    with pytest.raises(DataError, match="no stratum 'chain_sum/9'"):
        made.draw("chain_sum/9", 0)
    with pytest.raises(DataError, match="index -1 is negative"):
        made.draw("chain_sum/0", -1)
    for wrong in ("", "reasoning-gym/chain_sum/2/train/0", "reasoning-gym/chain_sum/0/heldout/0"):
        with pytest.raises(DataError, match="is not a task of this source"):
            made.get(wrong)


def test_a_stratum_without_a_question_in_its_split_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness_gym.source.HELDOUT_SHARE", 0.0)
    with pytest.raises(DataError, match="too few questions to share: none of 1000 falls in 'heldout'"):
        source(levels="0", split="heldout").draw("chain_sum/0", 0)


def test_a_data_set_that_makes_no_task_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import dataclass

    from reasoning_gym.dataset import ProceduralDataset
    from reasoning_gym.factory import DATASETS

    @dataclass
    class Config:
        seed: int
        size: int

    class Hopeless(ProceduralDataset):
        def __getitem__(self, idx: int) -> dict[str, Any]:
            if self.seed not in (0, 1, 2**32 - 1):
                raise ValueError("Could not make a puzzle")
            return {"question": f"{self.seed}?", "answer": "1", "metadata": {}}

    monkeypatch.setitem(
        DATASETS, "hopeless", (lambda config: Hopeless(config, config.seed, config.size), Config)
    )
    made = source("hopeless", strata={"a": {}})
    with pytest.raises(DataError, match=r"fails to make tasks of stratum 'hopeless/a': Could not make"):
        made.draw("hopeless/a", 0)


def test_a_scorer_that_chokes_on_an_answer_fails_it_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from reasoning_gym.arithmetic.chain_sum import ChainSumDataset

    def chokes(self: object, answer: str, entry: object) -> float:
        raise RecursionError(f"too deep: {answer}")

    monkeypatch.setattr(ChainSumDataset, "score_answer", chokes)
    task = source(levels="0").draw("chain_sum/0", 0)
    verdict = judged(task, "((1))")
    assert (verdict.status, verdict.score) == ("fail", 0.0)
    assert verdict.reason == "unreadable to its scorer: RecursionError: too deep: ((1))"
