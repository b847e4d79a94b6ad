"""From a stage of a recipe to verl's configuration: a pure function.

What the recipe decides is `owned`: each of verl's keys with its value and the recipe's field, and an
override of the user's that touches one is refused. The rest are `defaults`, which an override replaces.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.contract import RecipeError
from harness.recipe import Conventions, LoraOptions, Resources, Stage

_AGGREGATION: Final = {"token": "token-mean", "sequence": "seq-mean-token-mean"}
_ESTIMATORS: Final = {"k1": "kl", "k2": "mse", "k3": "low_var_kl"}
_DTYPES: Final = {"fp32": "float32", "bf16": "bfloat16"}
_PARAMETERS: Final = {"fp32": "fp32", "bf16": "bf16"}
#: Completions that may wait in one reward worker; Ray lets 1,000 calls into an actor.
_WAITING: Final = 400
#: A gradient is never clipped if the recipe says 0.
_NEVER: Final = 1e30

#: FSDP's optimizer; other engines name AdamW differently and have no other by default.
_OPTIMIZER: Final = {
    "actor_rollout_ref.actor.optim.optimizer": "AdamW",
    "actor_rollout_ref.actor.optim.optimizer_impl": "torch.optim",
    # Arguments that would replace those below.
    "actor_rollout_ref.actor.optim.override_optimizer_config": None,
    # Each update is given its rate, whatever an engine's schedule says.
    "actor_rollout_ref.actor.optim.lr_scheduler_type": "constant",
}

#: verl's name of its FSDP engine, and defaults that only this one knows.
_FSDP_ENGINE: Final = "dp"
_FSDP: Final = re.compile(r"\.fsdp_config\.|\.strategy$")

WORKER: Final = "harness_verl_worker"


@dataclass(frozen=True, slots=True)
class Setup:
    """What a stage's configuration depends on besides the stage."""

    model: Path
    #: Longest prompt plus completion, in tokens.
    context_length: int
    #: `cpu` or `cuda`.
    device: str
    resources: Resources
    micro_batch: int = 8
    ray_address: str | None = None
    #: Ray's own files; None for its default.
    ray_folder: str | None = None
    #: Environment variables of every process of the setup, on every node.
    environment: Mapping[str, str] | None = None
    #: Python packages to send to the nodes of a cluster.
    packages: Sequence[str] = ()
    #: verl's checkpoint to go on from, inside the stage.
    resume: str | None = None
    lora: LoraOptions | None = None
    #: Folder of the adapter to go on with.
    adapter: str | None = None

    @property
    def workers(self) -> int:
        """Training processes in all."""
        return self.resources.nodes * (self.resources.gpus_per_node or 1)


def owned(stage: Stage, conventions: Conventions, setup: Setup) -> dict[str, tuple[Any, str]]:
    """verl's keys that the recipe decides: value and field of the recipe."""
    rollout, loss, optimizer = stage.rollout, stage.loss, stage.optimizer
    actor, generation = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    where = f"stages {stage.name!r}"
    settings: dict[str, tuple[Any, str]] = {}

    def put(key: str, value: Any, field: str) -> None:
        settings[key] = (value, field)

    put("data.train_batch_size", rollout.batch, f"{where}, rollout.batch")
    mini_batch = rollout.batch // optimizer.mini_batches
    put(f"{actor}.ppo_mini_batch_size", mini_batch, f"{where}, optimizer.mini_batches")
    put(f"{actor}.ppo_epochs", optimizer.epochs, f"{where}, optimizer.epochs")
    put(f"{actor}.shuffle", False, f"{where}, optimizer.mini_batches")
    put(f"{generation}.n", rollout.n, f"{where}, rollout.n")
    for name in ("temperature", "top_p"):
        put(f"{generation}.{name}", getattr(rollout, name), f"{where}, rollout.{name}")
    put(f"{generation}.top_k", rollout.top_k or -1, f"{where}, rollout.top_k")
    put("data.max_response_length", rollout.max_tokens, f"{where}, rollout.max_tokens")
    put("data.max_prompt_length", max(1, setup.context_length - rollout.max_tokens), "model.context_length")
    put(f"{generation}.max_model_len", setup.context_length, "model.context_length")
    put(f"{generation}.calculate_log_probs", True, "detail")
    put(f"{generation}.dtype", _DTYPES[setup.resources.precision], "resources.precision")
    put(f"{generation}.val_kwargs.do_sample", False, "evaluation")
    put("actor_rollout_ref.model.path", str(setup.model), "model.name")
    for key, value in _lora(setup).items():
        put(f"actor_rollout_ref.model.{key}", value, "model.lora")

    for key, value in _OPTIMIZER.items():
        put(key, value, f"{where}, optimizer")
    put(f"{actor}.optim.lr", optimizer.lr, f"{where}, optimizer.lr")
    put(f"{actor}.optim.weight_decay", optimizer.weight_decay, f"{where}, optimizer.weight_decay")
    put(f"{actor}.optim.betas", list(optimizer.betas), f"{where}, optimizer.betas")
    put(f"{actor}.optim.clip_grad", optimizer.max_grad_norm or _NEVER, f"{where}, optimizer.max_grad_norm")
    # Its old name, which would win.
    put(f"{actor}.optim.grad_clip", None, f"{where}, optimizer.max_grad_norm")
    put(f"{actor}.optim.lr_warmup_steps", 0, f"{where}, optimizer.warmup_steps")
    put(f"{actor}.optim.lr_warmup_steps_ratio", 0.0, f"{where}, optimizer.warmup_steps")

    put(f"{actor}.use_kl_loss", loss.kl > 0, f"{where}, loss.kl")
    put(f"{actor}.kl_loss_coef", loss.kl, f"{where}, loss.kl")
    put(f"{actor}.kl_loss_type", _ESTIMATORS[conventions.kl_estimator], "conventions.kl_estimator")
    put(f"{actor}.entropy_coeff", loss.entropy, f"{where}, loss.entropy")
    put(f"{actor}.clip_ratio", loss.clip_low, f"{where}, loss.clip_low")
    put(f"{actor}.clip_ratio_low", loss.clip_low, f"{where}, loss.clip_low")
    put(f"{actor}.clip_ratio_high", loss.clip_high, f"{where}, loss.clip_high")
    put(f"{actor}.loss_agg_mode", _AGGREGATION[conventions.normalise], "conventions.normalise")
    put(f"{actor}.policy_loss.loss_mode", "vanilla", f"{where}, loss")
    # Advantages are the session's; verl's own are made and replaced.
    put("algorithm.adv_estimator", "grpo", "conventions")
    put("algorithm.norm_adv_by_std_in_grpo", conventions.std != "none", "conventions.std")
    put("algorithm.rollout_correction.bypass_mode", False, f"{where}, loss")
    put("algorithm.use_kl_in_reward", False, f"{where}, loss.kl")
    put("algorithm.filter_groups.enable", False, f"{where}, gates")

    # Under LoRA the driver makes the policy of base and adapter.
    contents = ["model", "optimizer", "extra", *(() if setup.lora else ("hf_model",))]
    put(f"{actor}.checkpoint.save_contents", contents, "checkpoints")
    put(f"{actor}.checkpoint.save_lora_only", setup.lora is not None, "checkpoints")
    put(f"{actor}.checkpoint.load_contents", ["model", "optimizer", "extra"], "checkpoints")
    put(f"{actor}.checkpoint.async_save", False, "checkpoints")
    put("trainer.save_freq", -1, "checkpoints.every_steps")
    put("trainer.max_actor_ckpt_to_keep", None, "checkpoints.keep")
    put("trainer.resume_mode", "resume_path" if setup.resume else "disable", "checkpoints")
    put("trainer.resume_from_path", setup.resume, "checkpoints")
    put("trainer.test_freq", -1, "evaluation.every_steps")
    put("trainer.val_before_train", False, "evaluation")
    put("trainer.total_training_steps", None, f"{where}, max_steps")
    put("trainer.total_epochs", 1, f"{where}, max_steps")
    put("trainer.critic_warmup", 0, f"{where}, max_steps")
    put("trainer.experiment_name", stage.name, where)
    put("trainer.use_v1", True, "trainer")
    put("trainer.v1.trainer_mode", "sync", "trainer")
    put("trainer.device", setup.device, "resources.device")
    put("trainer.nnodes", setup.resources.nodes, "resources.nodes")
    put("trainer.n_gpus_per_node", setup.resources.gpus_per_node or 1, "resources.gpus_per_node")

    put(f"{generation}.agent.default_agent_loop", "harness", "trainer")
    put(f"{generation}.agent.agent_loop_manager_class", None, "trainer")
    put("reward.custom_reward_function.path", None, "verifier")
    put("reward.reward_model.enable", False, "verifier")
    put("reward.reward_manager.source", "importlib", "verifier")
    put("reward.reward_manager.module.path", f"pkg://{WORKER}.reward", "verifier")
    put("reward.reward_manager.name", "SessionReward", "verifier")
    put("ray_kwargs.ray_init.runtime_env", _runtime(setup), "trainer.environment")
    for key, value in _cluster(setup).items():
        put(key, value, "trainer.ray_address")
    return settings


def _lora(setup: Setup) -> dict[str, Any]:
    """The settings of `actor_rollout_ref.model`."""
    options = setup.lora or LoraOptions()
    return {
        "lora_rank": options.rank if setup.lora else 0,
        "lora_alpha": options.alpha,
        "target_modules": options.targets if isinstance(options.targets, str) else list(options.targets),
        "target_parameters": None,
        "exclude_modules": None,
        "lora_adapter_path": setup.adapter,
        # Rollout servers get plain weights, as they do without adapters.
        "lora.merge": setup.lora is not None,
        # verl's other backends have a rank of their own.
        "lora.rank": 0,
    }


def _runtime(setup: Setup) -> dict[str, Any]:
    runtime: dict[str, Any] = {"env_vars": dict(setup.environment or {})}
    if setup.packages:
        runtime["py_modules"] = list(setup.packages)
    return runtime


def _cluster(setup: Setup) -> dict[str, Any]:
    if setup.ray_address is not None:
        return {"ray_kwargs.ray_init.address": setup.ray_address, "ray_kwargs.ray_init.num_cpus": None}
    settings: dict[str, Any] = {"ray_kwargs.ray_init.address": "local"}
    if setup.ray_folder is not None:
        settings["ray_kwargs.ray_init._temp_dir"] = setup.ray_folder
    if setup.device == "cpu":
        # Ray's resources are only numbers to it: a worker counts as a GPU, and asks for three CPUs.
        settings["ray_kwargs.ray_init.num_gpus"] = setup.workers
        settings["ray_kwargs.ray_init.num_cpus"] = 12 + 4 * setup.workers
    return settings


def defaults(stage: Stage, setup: Setup) -> dict[str, Any]:
    """verl's keys with values that fit most, and any override replaces."""
    actor, generation = "actor_rollout_ref.actor", "actor_rollout_ref.rollout"
    samples = stage.rollout.batch * stage.rollout.n
    micro = _divisor(samples // stage.optimizer.mini_batches // setup.workers, setup.micro_batch)
    settings: dict[str, Any] = {
        f"{actor}.strategy": "fsdp2",
        f"{actor}.ppo_micro_batch_size_per_gpu": micro,
        "actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu": micro,
        f"{generation}.name": "vllm",
        f"{generation}.log_prob_micro_batch_size_per_gpu": micro,
        f"{generation}.tensor_model_parallel_size": 1,
        "reward.num_workers": max(1 if setup.device == "cpu" else 8, -(-samples // _WAITING)),
        "trainer.logger": ["console"],
        "trainer.project_name": "harness",
    }
    for model in (actor, "actor_rollout_ref.ref"):
        # The reference has settings of its own: in bf16, its KL divergence would be mostly rounding.
        short = _PARAMETERS[setup.resources.precision]
        settings[f"{model}.fsdp_config.model_dtype"] = "fp32"
        settings[f"{model}.fsdp_config.dtype"] = _DTYPES[setup.resources.precision]
        settings[f"{model}.fsdp_config.mixed_precision.param_dtype"] = short
        settings[f"{model}.fsdp_config.mixed_precision.reduce_dtype"] = "fp32"
        settings[f"{model}.fsdp_config.mixed_precision.buffer_dtype"] = "fp32"
    if setup.ray_address is None:
        settings["ray_kwargs.ray_init.include_dashboard"] = False
        if setup.device == "cpu":
            settings["ray_kwargs.ray_init.object_store_memory"] = 1_000_000_000
    if setup.device == "cpu":
        settings |= {
            f"{actor}.use_torch_compile": False,
            f"{actor}.fsdp_config.use_torch_compile": False,
            "actor_rollout_ref.ref.fsdp_config.use_torch_compile": False,
            "actor_rollout_ref.ref.strategy": "fsdp2",
            "actor_rollout_ref.model.use_remove_padding": False,
            "actor_rollout_ref.model.enable_gradient_checkpointing": False,
            "actor_rollout_ref.model.external_lib": "harness_verl_cpu.engine",
            "actor_rollout_ref.model.override_config.attn_implementation": "sdpa",
            f"{generation}.enforce_eager": True,
            f"{generation}.enable_sleep_mode": False,
            f"{generation}.free_cache_engine": False,
            f"{generation}.gpu_memory_utilization": 0.3,
            f"{generation}.max_num_seqs": 64,
            f"{generation}.max_num_batched_tokens": max(2048, setup.context_length),
            # A request with a seed whose prompt is read in parts ends vLLM's CPU build: its random generators
            # have no offset.
            f"{generation}.enable_chunked_prefill": False,
            f"{generation}.checkpoint_engine.update_weights_bucket_megabytes": 256,
            f"{generation}.agent.num_workers": 1,
            f"{generation}.engine_kwargs.vllm.worker_extension_cls":
                "harness_verl_cpu.vllm_extension.CpuWorkerExtension",
            "transfer_queue.backend.SimpleStorage.num_data_storage_units": 1,
            "reward.reward_model.rollout.name": "vllm",
        }  # fmt: skip
    return settings


def _divisor(rows: int, limit: int) -> int:
    """The most rows of one pass, at most `limit`: verl wants passes of equal size."""
    return next(size for size in range(min(limit, max(1, rows)), 0, -1) if rows % size == 0)


def settings(
    stage: Stage, conventions: Conventions, setup: Setup, overrides: Sequence[str], *, where: str
) -> dict[str, Any]:
    """All of ours, as verl's configuration takes them after the user's overrides (see `collision`).

    Raises:
        RecipeError: the rollouts of an update cannot be divided among the workers, or an override is not
            for adapters.
    """
    ours = owned(stage, conventions, setup)
    given = [key_of(override) for override in overrides]
    rollout, parts = stage.rollout, stage.optimizer.mini_batches
    if setup.workers > 1 and (rollout.batch * rollout.n // parts) % setup.workers:
        divided = f" in {parts} mini-batches" if parts > 1 else ""
        raise RecipeError(
            f"{rollout.batch} x {rollout.n} rollouts per step{divided} are not a multiple of the "
            f"{setup.workers} workers",
            where=f"{where}, stages {stage.name!r}, rollout",
        )
    other_engine = any(key_of(o) == "model_engine" and o.partition("=")[2] != _FSDP_ENGINE for o in overrides)
    if setup.lora is not None:
        _check_adaptable(overrides, other_engine, where)
    kept = {k: v for k, v in defaults(stage, setup).items() if not any(_touches(key, k) for key in given)}
    if other_engine:
        ours = {key: value for key, value in ours.items() if key not in _OPTIMIZER}
        kept = {key: value for key, value in kept.items() if not _FSDP.search(key)}
    return kept | {key: value for key, (value, _) in ours.items()}


def _check_adaptable(overrides: Sequence[str], other_engine: bool, where: str) -> None:
    """Raise RecipeError for an override under which an adapter is not trained over the recipe's base."""
    if other_engine:
        raise RecipeError(
            "LoRA needs verl's FSDP engine", where=f"{where}, overrides", hint="leave model_engine out"
        )
    actor = "actor_rollout_ref.actor"
    for override in overrides:
        # The base would be rounded, and the adapter added to one that is not.
        for mine in (f"{actor}.strategy", f"{actor}.fsdp_config.model_dtype"):
            if _touches(key_of(override), mine):
                raise RecipeError(
                    f"{override!r}: under LoRA {mine} stays as it is", where=f"{where}, overrides",
                    hint="leave it out, or train all weights",
                )  # fmt: skip


def collision(override: str) -> None:
    """Raise ValueError if an override of verl's settings touches what the recipe decides."""
    key = key_of(override)
    # With what is decided for this machine alone among it.
    some = Setup(Path(), 1, "cpu", Resources(), ray_folder="ray")
    for mine, (_, field) in owned(Stage(name="one"), Conventions(), some).items():
        if _touches(key, mine):
            raise ValueError(
                f"{override!r} collides with {mine}, which the recipe decides: {field.split(', ')[-1]}"
            )


def key_of(override: str) -> str:
    """The key of an override in Hydra's grammar: without `+`, `++`, `~` and value."""
    return override.lstrip("+~").partition("=")[0].strip()


def _touches(key: str, mine: str) -> bool:
    return key == mine or mine.startswith(f"{key}.") or key.startswith(f"{mine}.")
