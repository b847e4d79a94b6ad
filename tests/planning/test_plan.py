"""Plans: what would fail in an hour is refused at once, by field and with the next step."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.contract.errors import HarnessError, RecipeError
from harness.planning.plan import check_context, make_plans
from harness.planning.preview import preview
from harness.plugging.plugins import load
from harness.recipe import load_recipe
from harness.running.preflight import preflight_all
from tests.support.recipes import SIM, TORCH, write

RANDOM = 'name = "random"\nloader = { name = "random-llama" }'
MODEL = 'name = "chain-334k"\nloader = "packaged"'


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(HarnessError) as refused:
        preflight_all(make_plans(load_recipe(path, overrides), load()), path.parent)
    return str(refused.value)


def test_a_good_recipe_gives_a_plan_an_arm_and_seed(tmp_path: Path) -> None:
    plans = make_plans(load_recipe(write(tmp_path, SIM), ["seeds=[1, 2]"]), load())
    preflight_all(plans, tmp_path)
    assert [(plan.arm.name, plan.seed) for plan in plans] == [("main", 1), ("main", 2)]
    told = "\n".join(preview(plans))
    assert "curriculum staged, measured anew, where 0.05 <= p <= 0.95" in told
    assert "LoRA" not in told
    adapted = make_plans(load_recipe(write(tmp_path, TORCH), ["model.lora.rank=4"]), load())
    assert "with LoRA of rank 4, trainer torch" in "\n".join(preview(adapted))
    assert "budget 6,000 rollouts, difficulty measurement included" in told


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("stages.0.curriculum=stagedd", ["stages.0.curriculum", "did you mean 'staged'"]),
        ("trainer=tprch", ["trainer", "torch"]),
        (
            'engine={name = "openai", servers = ["http://a/v1"]}',
            ["engine 'openai' cannot take a trained policy's weights", "leave engine out"],
        ),
        ("verifier=exakt", ["verifier", "did you mean 'exact'"]),
        ("stages.0.curriculum.mastry=0.9", ["mastry", "did you mean 'mastery'"]),
        ("stages.0.loss.kl=0.1", ["trainer 'sim' cannot do loss.kl", "trainers here that can: torch"]),
        (
            "model.lora.rank=8",
            ["trainer 'sim' cannot do LoRA", "model.lora", "trainers here that can: torch"],
        ),
        ("model.lora.rank=0", ["model.lora.rank"]),
        ("stages.0.kind=sft", ["trainer 'sim' cannot do stages of kind 'sft'"]),
        ("resources.precision=bf16", ["cannot do resources.precision = 'bf16'", "use one of fp32"]),
        ("stages.0.select=q > 1", ["'q' is unknown", "select"]),
        ('stages.0.select=p["7b"] > 0', ["asks for labels of '7b'", "difficulty.labels"]),
        ("stages.0.reward=al_pass", ["did you mean 'all_pass'"]),
        ("difficulty.discard=p <", ["not a rule", "difficulty.discard"]),
        ("tasks.train.0.count=-1", ["tasks.train.0", "count"]),
    ],
)
def test_refusals_name_the_field_and_the_way_out(tmp_path: Path, override: str, words: list[str]) -> None:
    text = refusal(write(tmp_path, SIM), override)
    assert "recipe.toml" in text
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("recipe", "overrides", "words"),
    [
        (SIM, ["model.loader=folder"], ["trainer 'sim' is a simulation, 'folder' is none"]),
        (TORCH, ["model.loader=sim"], ["trainer 'torch' is no simulation, 'sim' is one"]),
        (SIM, ["trainer=torch"], ["trainer 'torch' is no simulation, 'sim' is one"]),
    ],
)
def test_a_simulation_and_a_model_are_not_mixed(
    tmp_path: Path, recipe: str, overrides: list[str], words: list[str]
) -> None:
    text = refusal(write(tmp_path, recipe), *overrides)
    assert "model.loader" in text
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("override", "field"),
    [
        ("resources.device=cuda", "resources.device"),
        ('trainer={name = "torch", device = "cuda"}', "trainer.device"),
    ],
)
def test_a_gpu_that_is_not_here_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, override: str, field: str
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    text = refusal(write(tmp_path, TORCH), override)
    assert f'{field}: device = "cuda", but torch sees no GPU' in text
    assert "=cpu" in text


def test_a_gpu_that_may_be_on_another_machine_is_the_trainers_matter(tmp_path: Path) -> None:
    path = write(tmp_path, TORCH.replace(RANDOM, MODEL))
    plans = make_plans(load_recipe(path, ["trainer.name=verl", "resources.device=cuda"]), load())
    preflight_all(plans, tmp_path)


def test_only_trainers_that_can_are_named_as_a_way_out(tmp_path: Path) -> None:
    path = write(tmp_path, TORCH)
    text = refusal(path, "trainer.name=trl", "stages.0.kind=sft")
    assert "trainers here that can: torch; harness plugins show trl" in text
    file = load_recipe(
        write(tmp_path, TORCH.replace(RANDOM, MODEL)), ["trainer.name=trl", "stages.0.kind=sft"]
    )
    with pytest.raises(HarnessError, match="no trainer here can; harness plugins show trl"):
        make_plans(file, load(block=["torch"]))


def test_the_recipes_context_length_decides(tmp_path: Path) -> None:
    path = write(tmp_path, TORCH)
    (plan,) = make_plans(load_recipe(path, ["model.context_length=77"]), load())
    assert plan.model_files().context_length == 77
    assert "beyond the model's context of 3" in refusal(path, "model.context_length=3")


def test_a_plan_says_what_a_stage_does_of_its_kind(tmp_path: Path) -> None:
    kinds = ["stages.0.kind=sft", "stages.0.loss={}", "stages.0.max_steps=1", "stages.1.kind=label"]
    told = "\n".join(preview(make_plans(load_recipe(write(tmp_path, TORCH), kinds), load())))
    assert "recipe.toml: 1 run, recipe" in told
    assert "8 written answers a step, lr 0.003, at most 1 step\n" in told
    assert "stage second (label), measured anew" in told
    assert "rollouts of" not in told
    assert "held out: chains, 1 sample a task" in told


def test_a_stratum_with_too_few_different_tasks_is_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path, TORCH)
    # Chains of one operation: at most 200 of them, a part of which is held out.
    text = refusal(path, "evaluation.heldout.0.per_stratum=300", "evaluation.heldout.0.tasks.0.strata=[1]")
    assert "stratum '1' has" in text
    assert "set per_stratum to at most" in text


def test_a_stage_that_never_ends_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, SIM.replace("[budget]\nrollouts = 6000\n", "").replace('repeat = "budget"\n', ""))
    assert "sets" not in refusal(path, "stages.0.until={}")
    assert "nothing ends this stage" in refusal(path, "stages.0.until={}")
    assert 'repeat = "budget" never ends without a budget' in refusal(path, 'stages.0.repeat="budget"')


def test_counts_of_rollouts_end_no_stage_that_samples_nothing(tmp_path: Path) -> None:
    ends = ("stages.0.kind=sft", "stages.0.loss={}", "stages.0.until.rollouts=8", "budget.rollouts=99")
    path = write(tmp_path, TORCH.replace("max_steps = 5\n", ""))
    assert "nothing ends this stage" in refusal(path, *ends, "stages.1.max_steps=2")
    for kind in ("sft", "label", "eval"):
        text = refusal(path, f"stages.0.kind={kind}", *ends[1:], "stages.0.repeat=budget")
        assert f'never ends for kind = "{kind}"' in text


def test_a_prompt_and_completion_beyond_the_context_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, TORCH)
    text = refusal(path, "stages.1.rollout.max_tokens=100000")
    assert "beyond the model's context of" in text
    assert "stages 'second'" in text
    assert "set max_tokens to at most" in text
    assert "difficulty: task" in refusal(path, "difficulty.max_tokens=100000")
    assert "evaluation.heldout 'chains'" in refusal(path, "evaluation.heldout.0.max_tokens=100000")


def test_a_prompt_that_alone_is_beyond_the_context_is_told_no_number_of_tokens() -> None:
    files = SimpleNamespace(context_length=128)
    with pytest.raises(RecipeError) as raised:
        check_context({"t": 574}, 4, cast(Any, files), "stages 'a'")
    assert "set max_tokens" not in str(raised.value)
    assert "drop such tasks" in str(raised.value)
    with pytest.raises(RecipeError, match="set max_tokens to at most 3, or drop such tasks"):
        check_context({"t": 125}, 4, cast(Any, files), "stages 'a'")
    check_context({"t": 124}, 4, cast(Any, files), "stages 'a'")


def test_a_packaged_model_s_context_is_known_before_a_run(tmp_path: Path) -> None:
    path = write(tmp_path, TORCH.replace(RANDOM, MODEL))
    preflight_all(make_plans(load_recipe(path), load()), tmp_path)
    assert "beyond the model's context of 128" in refusal(path, "stages.0.rollout.max_tokens=100000")


def test_too_little_disk_is_refused(tmp_path: Path) -> None:
    text = refusal(write(tmp_path, TORCH), "checkpoints.min_free_gb=1e9")
    assert "GB are free" in text
    assert "checkpoints.keep" in text


def test_the_checkpoints_of_all_arms_and_seeds_must_fit_together(tmp_path: Path) -> None:
    path = write(tmp_path, TORCH)
    kept = [
        int(re.search(r"(\d+) checkpoints of", refusal(path, "checkpoints.min_free_gb=1e9", seeds))[1])  # type: ignore[index]
        for seeds in ("seeds=[0]", "seeds=[0,1,2]")
    ]
    assert kept[1] == 3 * kept[0]


def test_a_held_out_task_of_an_endless_source_is_passed_over(tmp_path: Path) -> None:
    text = TORCH.replace('split = "heldout"', 'split = "train"')
    (plan, *_) = make_plans(load_recipe(write(tmp_path, text)), load())
    from harness.running.parts import build_heldout, build_pool

    pool = build_pool(plan, build_heldout(plan))
    heldout = {task.prompt_hash for part in build_heldout(plan) for task in part.tasks}
    assert heldout
    assert not heldout & {pool.draw("1").prompt_hash for _ in range(50)}


def test_an_unknown_arm_is_refused(tmp_path: Path) -> None:
    file = load_recipe(write(tmp_path, SIM))
    with pytest.raises(HarnessError, match="there is no arm 'x'"):
        make_plans(file, load(), arms=["x"])


def test_a_rule_that_compares_words_with_numbers_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, SIM)
    assert "cannot be worked out" in refusal(path, "stages.0.select=stratum > 3")
    assert "cannot be worked out" in refusal(path, """difficulty.tags={a='p < "x"'}""")


@pytest.mark.parametrize("name", ["a/b", "../x", "", "[ab]"])
def test_a_stage_is_named_as_a_folder_can_be(tmp_path: Path, name: str) -> None:
    assert "stages.0.name" in refusal(write(tmp_path, SIM), f'stages.0.name="{name}"')
