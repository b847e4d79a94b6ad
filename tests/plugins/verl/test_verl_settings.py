"""From a recipe's stage to verl's configuration, without verl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness_verl import settings
from harness_verl.job import check, environment
from harness_verl.options import VerlOptions
from harness_verl.settings import Setup
from harness_verl_worker import restage
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import RecipeError
from harness.recipe import Conventions, LoraOptions, Resources, Stage
from harness.recipe.errors import validated

ACTOR, ROLLOUT = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"


def setup(**changes: Any) -> Setup:
    values = {"model": Path("/m"), "context_length": 512, "device": "cpu", "resources": Resources()}
    return Setup(**{**values, **changes})


def made(
    stage: dict[str, Any], *, overrides: tuple[str, ...] = (), about: Setup | None = None, **conventions: Any
) -> dict[str, Any]:
    return settings.settings(
        Stage.model_validate({"name": "s", **stage}),
        Conventions(**conventions),
        about or setup(),
        overrides,
        where="here",
    )


def test_a_stage_says_how_much_and_how_it_is_sampled() -> None:
    settings = made(
        {"rollout": {"n": 6, "batch": 10, "temperature": 0.7, "top_p": 0.9, "top_k": 5, "max_tokens": 99}}
    )
    assert settings["data.train_batch_size"] == settings[f"{ACTOR}.ppo_mini_batch_size"] == 10
    assert settings[f"{ROLLOUT}.n"] == 6
    assert [settings[f"{ROLLOUT}.{name}"] for name in ("temperature", "top_p", "top_k")] == [0.7, 0.9, 5]
    assert settings["data.max_response_length"] == 99
    assert settings["data.max_prompt_length"] == 512 - 99
    assert settings[f"{ROLLOUT}.max_model_len"] == 512
    assert made({})[f"{ROLLOUT}.top_k"] == -1, "off is 0 in a recipe"


def test_a_stage_says_what_is_minimised() -> None:
    loss = {"kl": 0.02, "entropy": 0.003, "clip_low": 0.1, "clip_high": 0.3}
    settings = made(
        {
            "loss": loss,
            "optimizer": {"lr": 2e-6, "weight_decay": 0.1, "betas": (0.8, 0.9), "max_grad_norm": 0.5},
        }
    )
    assert (settings[f"{ACTOR}.use_kl_loss"], settings[f"{ACTOR}.kl_loss_coef"]) == (True, 0.02)
    assert settings[f"{ACTOR}.entropy_coeff"] == 0.003
    assert (settings[f"{ACTOR}.clip_ratio_low"], settings[f"{ACTOR}.clip_ratio_high"]) == (0.1, 0.3)
    optimizer = [settings[f"{ACTOR}.optim.{name}"] for name in ("lr", "weight_decay", "betas", "clip_grad")]
    assert optimizer == [2e-6, 0.1, [0.8, 0.9], 0.5]
    plain = made({"optimizer": {"max_grad_norm": 0}})
    assert not plain[f"{ACTOR}.use_kl_loss"]
    assert plain[f"{ACTOR}.optim.clip_grad"] > 1e20, "0 is off"


@pytest.mark.parametrize(
    ("conventions", "key", "value"),
    [
        ({"normalise": "token"}, f"{ACTOR}.loss_agg_mode", "token-mean"),
        ({"normalise": "sequence"}, f"{ACTOR}.loss_agg_mode", "seq-mean-token-mean"),
        ({"kl_estimator": "k1"}, f"{ACTOR}.kl_loss_type", "kl"),
        ({"kl_estimator": "k2"}, f"{ACTOR}.kl_loss_type", "mse"),
        ({"kl_estimator": "k3"}, f"{ACTOR}.kl_loss_type", "low_var_kl"),
        ({"std": "none"}, "algorithm.norm_adv_by_std_in_grpo", False),
    ],
)
def test_conventions_have_verls_names(conventions: dict[str, Any], key: str, value: Any) -> None:
    assert made({}, **conventions)[key] == value


def test_precision_is_of_the_arithmetic_never_of_the_weights() -> None:
    for precision, short, long in (("fp32", "fp32", "float32"), ("bf16", "bf16", "bfloat16")):
        settings = made({}, about=setup(resources=Resources(precision=precision)))
        for model in (ACTOR, "actor_rollout_ref.ref"):
            assert settings[f"{model}.fsdp_config.model_dtype"] == "fp32"
            assert settings[f"{model}.fsdp_config.mixed_precision.param_dtype"] == short
        assert settings[f"{ROLLOUT}.dtype"] == long


def test_epochs_and_mini_batches() -> None:
    settings = made({"rollout": {"n": 2, "batch": 12}, "optimizer": {"epochs": 3, "mini_batches": 4}})
    assert settings[f"{ACTOR}.ppo_epochs"] == 3
    assert settings[f"{ACTOR}.ppo_mini_batch_size"] == 3
    assert 6 % settings[f"{ACTOR}.ppo_micro_batch_size_per_gpu"] == 0, "an update's rows, in equal passes"
    uneven = {"rollout": {"n": 3, "batch": 4}, "optimizer": {"mini_batches": 4}}
    with pytest.raises(RecipeError, match="4 x 3 rollouts per step in 4 mini-batches are not a multiple of"):
        made(uneven, about=setup(resources=Resources(gpus_per_node=2)))


def test_machines_and_workers() -> None:
    many = setup(
        device="cuda", resources=Resources(nodes=4, gpus_per_node=8), ray_address="auto", packages=["/p"]
    )
    settings = made({"rollout": {"n": 8, "batch": 128}}, about=many)
    assert (settings["trainer.nnodes"], settings["trainer.n_gpus_per_node"]) == (4, 8)
    assert settings["ray_kwargs.ray_init.address"] == "auto"
    assert settings["ray_kwargs.ray_init.runtime_env"]["py_modules"] == ["/p"]
    assert "ray_kwargs.ray_init.num_gpus" not in settings
    alone = made({}, about=setup(resources=Resources(gpus_per_node=2)))
    assert alone["ray_kwargs.ray_init.num_gpus"] == 2, "on a CPU, a worker counts as a GPU of Ray's"
    with pytest.raises(RecipeError, match="3 x 3 rollouts per step are not a multiple of the 2 workers"):
        made({"rollout": {"n": 3, "batch": 3}}, about=setup(resources=Resources(gpus_per_node=2)))


@given(n=st.integers(2, 64), batch=st.integers(1, 512), limit=st.integers(1, 32))
def test_a_step_is_whole_passes(n: int, batch: int, limit: int) -> None:
    settings = made({"rollout": {"n": n, "batch": batch}}, about=setup(micro_batch=limit))
    size = settings[f"{ACTOR}.ppo_micro_batch_size_per_gpu"]
    assert 1 <= size <= limit
    assert (n * batch) % size == 0


def test_waiting_completions_never_fill_a_reward_worker() -> None:
    assert made({"rollout": {"n": 16, "batch": 1024}}, about=setup(device="cuda"))["reward.num_workers"] >= 16


def test_an_override_replaces_a_default() -> None:
    key = f"{ROLLOUT}.gpu_memory_utilization"
    assert key in made({})
    assert key not in made({}, overrides=(f"{key}=0.7",)), "the user's value then stands"
    assert "trainer.logger" not in made({}, overrides=("trainer.logger=[console,wandb]",))


@given(
    st.sampled_from(sorted(settings.owned(Stage(name="s"), Conventions(), setup()))),
    st.sampled_from(["", "+", "++", "~"]),
)
def test_an_override_of_what_the_recipe_decides_is_refused_by_name(key: str, sign: str) -> None:
    for override in (f"{sign}{key}=1", f"{sign}{key.rpartition('.')[0]}={{}}"):
        with pytest.raises(RecipeError, match=r"collides with .*the recipe decides"):
            validated(VerlOptions, {"overrides": [override]}, where="trainer")


@pytest.mark.parametrize(
    "override",
    [
        "ray_kwargs.ray_init._temp_dir=/elsewhere",
        f"{ACTOR}.optim.optimizer=SGD",
        f"{ACTOR}.optim.optimizer_impl=bitsandbytes.optim",
        f"+{ACTOR}.optim.override_optimizer_config={{lr: 1.0, betas: [0.5, 0.6]}}",
        f"++{ACTOR}.optim.override_optimizer_config.weight_decay=0.5",
        f"+{ACTOR}.optim.grad_clip=0.1",
        "trainer.critic_warmup=3",
        "algorithm.rollout_correction.bypass_mode=true",
        "actor_rollout_ref.model.lora.rank=8",
        "actor_rollout_ref.model.lora_alpha=64",
        "actor_rollout_ref.model.target_modules=[q_proj]",
        "+actor_rollout_ref.model.lora_adapter_path=/adapter",
    ],
)
def test_what_would_contradict_a_recipe_is_refused(override: str) -> None:
    with pytest.raises(RecipeError, match=r"collides with .*the recipe decides"):
        validated(VerlOptions, {"overrides": [override]}, where="trainer")


def test_what_corrects_for_the_servers_arithmetic_is_verls_own() -> None:
    overrides = (
        "algorithm.rollout_correction.rollout_is=token",
        "algorithm.rollout_correction.rollout_rs=token_k1",
    )
    kept = validated(VerlOptions, {"overrides": list(overrides)}, where="trainer")
    assert kept.overrides == overrides


def test_another_engine_names_its_optimizer_itself() -> None:
    names = {"optimizer": "AdamW", "optimizer_impl": "torch.optim", "override_optimizer_config": None}
    keys = {f"{ACTOR}.optim.{name}": value for name, value in names.items()}
    assert keys.items() <= made({}).items()
    other = made({}, overrides=("model_engine=megatron",))
    assert not keys.keys() & other.keys()
    assert not [key for key in other if "fsdp" in key or key.endswith(".strategy")]


@pytest.mark.heavy
@pytest.mark.parametrize("overrides", [(), ("model_engine=megatron",)], ids=["fsdp", "megatron"])
def test_verl_takes_the_settings_of_each_engine(overrides: tuple[str, ...]) -> None:
    from tests.support.heavy import environment_python

    values = made({"optimizer": {"lr": 2e-6}}, about=setup(device="cuda"), overrides=overrides)
    spec = {"overrides": list(overrides), "settings": values, "optimizer": None}
    variables = environment(VerlOptions(), Path("/tmp"), device="cpu", threads=1)
    checked = check(environment_python("verl-cpu"), spec, variables, "here")
    optimizer = checked["actor_rollout_ref"]["actor"]["optim"]
    assert optimizer["optimizer"].lower() == ("adam" if overrides else "adamw")
    assert (optimizer["lr"], optimizer["weight_decay"]) == (2e-6, 0.0)


@pytest.mark.heavy
def test_of_two_stages_verl_composes_nothing_that_a_running_job_could_not_take() -> None:
    from tests.support.heavy import environment_python

    stages: tuple[dict[str, Any], ...] = (
        {"name": "a", "rollout": {"n": 4, "batch": 8, "max_tokens": 16}, "loss": {"kl": 0.1}},
        {
            "name": "b",
            "rollout": {"n": 3, "batch": 4, "max_tokens": 32, "temperature": 0.7, "top_p": 0.9, "top_k": 5},
            "loss": {"entropy": 0.01, "clip_low": 0.1, "clip_high": 0.3},
            "optimizer": {
                "lr": 1e-3, "epochs": 2, "mini_batches": 2, "weight_decay": 0.1, "max_grad_norm": 0.5,
                "betas": (0.8, 0.9),
            },
        },
    )  # fmt: skip
    variables = environment(VerlOptions(), Path("/tmp"), device="cpu", threads=1)
    composed = [
        check(
            environment_python("verl-cpu"),
            {"overrides": [], "settings": made(stage, about=setup(model=model)), "optimizer": None},
            variables,
            "here",
        )
        for stage, model in zip(stages, (Path("/before"), Path("/after")), strict=True)
    ]
    changed = restage.changes(*composed)
    assert changed["actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu"] == 6
    assert restage.fixed(composed[0], changed, strategy="fsdp2", reference=True) == []


def test_adapters_are_the_recipes() -> None:
    model = "actor_rollout_ref.model"
    lora = LoraOptions(rank=8, alpha=24, targets=("q_proj",))
    settings = made({}, about=setup(lora=lora, adapter="/adapter"))
    assert [settings[f"{model}.{key}"] for key in ("lora_rank", "lora_alpha", "target_modules")] == [
        8,
        24,
        ["q_proj"],
    ]
    assert settings[f"{model}.lora_adapter_path"] == "/adapter"
    assert settings[f"{model}.lora.merge"] is True, "rollout servers get plain weights"
    assert "hf_model" not in settings[f"{ACTOR}.checkpoint.save_contents"]
    assert made({})[f"{model}.lora_rank"] == 0
    with pytest.raises(RecipeError, match="LoRA needs verl's FSDP engine"):
        made({}, about=setup(lora=lora), overrides=("model_engine=megatron",))
    for override in (f"{ACTOR}.strategy=fsdp", f"{ACTOR}.fsdp_config.model_dtype=bf16"):
        made({}, overrides=(override,))
        with pytest.raises(RecipeError, match=r"under LoRA .* stays as it is"):
            made({}, about=setup(lora=lora), overrides=(override,))


def test_naming_the_engine_that_verl_takes_anyway_changes_nothing() -> None:
    assert made({}, overrides=("model_engine=dp",)) == made({})
    made({}, about=setup(lora=LoraOptions()), overrides=("model_engine=dp",))


def test_an_override_is_one() -> None:
    with pytest.raises(RecipeError, match="not an override of verl: write key=value"):
        validated(VerlOptions, {"overrides": ["trainer.logger"]}, where="trainer")
    kept = validated(VerlOptions, {"overrides": ["+a.b=1", "~trainer.x", "model_engine=megatron"]}, where="t")
    assert [settings.key_of(o) for o in kept.overrides] == ["a.b", "trainer.x", "model_engine"]
