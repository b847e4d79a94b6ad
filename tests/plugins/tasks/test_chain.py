"""Source `arithmetic-chain`."""

import pytest
from harness_tasks.chain import ArithmeticChain, ChainOptions, contents
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import DataError, RecipeError
from harness.recipe.errors import validated
from tests.support.builders import context


def source(run_seed: int = 0, **options: object) -> ArithmeticChain:
    return ArithmeticChain(validated(ChainOptions, options, where="test"), context(seed=run_seed))


def running(prompt: str) -> str:
    """The answer by Python's own arithmetic: the value of each prefix, mod 10."""
    body = prompt.removesuffix("=")
    return "".join(str(eval(body[:end]) % 10) for end in range(3, len(body) + 1, 2))


levels = st.integers(1, 60)
indices = st.integers(0, 10**12)
seeds = st.integers(-5, 10**6)
splits = st.sampled_from(["train", "heldout"])


@given(levels, indices, seeds, splits)
def test_a_task_asks_for_every_running_value_mod_10(level: int, index: int, seed: int, split: str) -> None:
    task = source(strata=[level], seed=seed, split=split).draw(str(level), index)
    assert len(task.prompt) == 1
    assert task.prompt[0].role == "user"
    prompt = task.prompt[0].content
    assert sum(prompt.count(sign) for sign in "+-") == level
    assert len(prompt) == 2 * level + 2
    assert task.answer == running(prompt)
    assert len(task.answer) == level
    assert task.subject == str(level)
    assert task.verifier == "exact"


@given(levels, indices, seeds, splits)
def test_drawing_is_pure_and_an_id_alone_rebuilds_the_task(
    level: int, index: int, seed: int, split: str
) -> None:
    task = source(strata=[level], seed=seed, split=split).draw(str(level), index)
    assert source(strata="1-60", seed=seed, split=split).draw(str(level), index) == task
    assert source(run_seed=99, strata=[1]).get(task.id) == task


def test_ids_name_the_seed_only_where_it_is_not_0() -> None:
    assert source(strata=[9]).draw("9", 17).id == "arithmetic-chain/9/train/17"
    assert source(strata=[9], split="heldout", seed=-3).draw("9", 17).id == "arithmetic-chain/9/heldout/17@-3"


@pytest.mark.parametrize("level", [1, 2])
def test_the_splits_share_out_all_contents_of_a_small_level(level: int) -> None:
    half = contents(level) // 2
    trained, held = (
        {source(strata=[level], split=split, seed=seed).draw(str(level), i).content_hash for i in range(half)}
        for split, seed in (("train", 5), ("heldout", 6))
    )
    assert len(trained) == len(held) == half
    assert not trained & held


@given(levels, seeds, seeds, st.integers(0, 10**9))
def test_no_draw_of_one_split_is_a_draw_of_the_other(level: int, seed: int, other: int, start: int) -> None:
    trained = source(strata=[level], seed=seed)
    held = source(strata=[level], seed=other, split="heldout")
    window = range(start, start + 20)
    asked = {trained.draw(str(level), i).prompt[0].content for i in window}
    assert not asked & {held.draw(str(level), i).prompt[0].content for i in window}


def test_a_level_repeats_contents_only_when_they_are_exhausted_and_then_in_a_new_order() -> None:
    drawn = [source(strata=[1]).draw("1", i) for i in range(200)]
    first, second = ([task.prompt[0].content for task in part] for part in (drawn[:100], drawn[100:]))
    assert len(set(first)) == 100
    assert set(first) == set(second)
    assert first != second
    assert len({task.id for task in drawn}) == 200


def test_training_follows_the_runs_seed_and_held_out_tasks_do_not() -> None:
    assert source(run_seed=1, strata=[9]).draw("9", 0) != source(run_seed=2, strata=[9]).draw("9", 0)
    one, two = (source(run_seed=s, strata=[9], split="heldout").draw("9", 0) for s in (1, 2))
    assert one == two


def test_weights_are_exposed_by_subject() -> None:
    assert source(strata="1-3").weights is None
    assert source(strata="1-3", weights={"1": 0.6, "3": 0.2}).weights == {"1": 0.6, "3": 0.2}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strata": "0-4"}, "levels run from 1 to 200, not 0 to 4"),
        ({"strata": "4-1"}, "range '4-1' runs backwards"),
        ({"strata": "4,x"}, "'x' is neither a level nor a range"),
        ({"strata": []}, "no level is named"),
        ({"strata": 1.5}, "1.5 is not a list of levels"),
        ({"strata": "1-3", "weights": {"4": 1}}, "'4' is not among the strata"),
        ({"strata": "1-3", "weights": {"1": -1}}, "'1' has weight -1.0"),
        ({"strata": "1-3", "weights": {"1": 0}}, "all of them are 0"),
        ({"split": "test"}, "split: Input should be 'train' or 'heldout', got 'test'"),
        ({"stratum": "1"}, "stratum: no such field; did you mean 'strata'"),
    ],
)
def test_options_that_do_not_fit_are_named(options: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        source(**options)
    assert said in str(caught.value)


def test_unknown_strata_and_ids_are_named() -> None:
    with pytest.raises(DataError, match=r"'arithmetic-chain': has no stratum '41'"):
        source().draw("41", 0)
    with pytest.raises(DataError, match="index -1 is negative"):
        source().draw("4", -1)
    for wrong in ("", "arithmetic-chain/9/train", "arithmetic-chain/09/train/1", "chain/9/train/1"):
        with pytest.raises(DataError, match="is not a task of this source"):
            source().get(wrong)
    with pytest.raises(DataError, match="is not a task of this source"):
        source().get("arithmetic-chain/201/train/0")
