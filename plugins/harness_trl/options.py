"""Options of the trainer `trl`: a few of our own, and any further field of TRL's `GRPOConfig`.

What a recipe already says has one place. A field of `GRPOConfig` that would say it a second time is
refused with the name of the recipe's field.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from harness_torch.live_options import LiveOptions
from pydantic import Field, field_validator, model_validator

from harness.contract import near
from harness.recipe import Count

#: Fields of `GRPOConfig` that the recipe or the session decide, and where.
DECIDED: Final[dict[str, str]] = {
    "output_dir": "the run's folder",
    "learning_rate": "optimizer.lr of the stage",
    "weight_decay": "optimizer.weight_decay of the stage",
    "adam_beta1": "optimizer.betas of the stage",
    "adam_beta2": "optimizer.betas of the stage",
    "max_grad_norm": "optimizer.max_grad_norm of the stage",
    "warmup_steps": "optimizer.warmup_steps of the stage",
    "lr_scheduler_type": "optimizer.warmup_steps of the stage",
    "lr_scheduler_kwargs": "optimizer.warmup_steps of the stage",
    "max_steps": "until and max_steps of the stage",
    "num_train_epochs": "until and max_steps of the stage",
    "num_generations": "rollout.n of the stage",
    "num_generations_eval": "evaluation",
    "max_completion_length": "rollout.max_tokens of the stage",
    "temperature": "rollout.temperature of the stage",
    "top_p": "rollout.top_p of the stage",
    "top_k": "rollout.top_k of the stage",
    "beta": "loss.kl of the stage",
    "entropy_coef": "loss.entropy of the stage",
    "epsilon": "loss.clip_low of the stage",
    "epsilon_high": "loss.clip_high of the stage",
    "mask_truncated_completions": "loss.mask_truncated of the stage",
    "scale_rewards": "conventions.std",
    "multi_objective_aggregation": "reward of the stage",
    "reward_weights": "reward of the stage",
    "loss_type": "conventions.normalise",
    "num_iterations": "optimizer.epochs of the stage",
    "per_device_train_batch_size": "the trainer's option 'micro_batch_rows'",
    "gradient_accumulation_steps": "rollout.batch and optimizer.mini_batches of the stage and the trainer's "
    "option 'micro_batch_rows'",
    "generation_batch_size": "rollout.batch of the stage",
    "steps_per_generation": "rollout.batch and optimizer.mini_batches of the stage",
    "auto_find_batch_size": "the trainer's option 'micro_batch_rows'",
    "seed": "seeds",
    "data_seed": "seeds",
    "bf16": "resources.precision",
    "fp16": "resources.precision",
    "use_cpu": "resources.device",
    "eval_strategy": "evaluation",
    "do_eval": "evaluation",
    "eval_on_start": "evaluation",
    "save_strategy": "checkpoints",
    "save_steps": "checkpoints.every_steps",
    "save_total_limit": "checkpoints.keep",
    "resume_from_checkpoint": "harness run, which resumes by itself",
    "logging_strategy": "the ledger",
    "logging_steps": "the ledger",
    "logging_nan_inf_filter": "the session, which ends a stage whose loss is not finite",
    "shuffle_dataset": "curriculum of the stage",
    "remove_unused_columns": "curriculum of the stage",
    "model_init_kwargs": "model",
    "chat_template_kwargs": "model.prompt",
    "push_to_hub": "harness board",
}

#: Fields that have TRL sample from another distribution than the policy's.
DISTORTING: Final = frozenset({"min_p", "repetition_penalty", "generation_kwargs"})

#: Fields that only TRL's own generation looks at.
SAMPLING: Final = DISTORTING | {"cache_implementation", "use_vllm", "use_transformers_continuous_batching"}


class TrlOptions(LiveOptions):
    """Options of the trainer `trl`. Those that are not set are taken from the recipe's `[model]` and
    `[resources]`."""

    generate: Literal["auto", "engine", "trl"] = "auto"
    """What generates completions. `engine`: the harness's decoder on the live weights, where each
    completion depends on its key alone. `trl`: TRL, by transformers' `generate`, continuous batching or
    vLLM. `auto`: `trl` if `grpo` asks for vLLM or continuous batching, and else `engine`."""
    micro_batch_rows: Count = 64
    """Most completions of one forward and backward pass. The largest divisor of a step's completions up to
    this is used."""
    grpo: dict[str, Any] = Field(default_factory=dict)
    """Further fields of TRL's `GRPOConfig`, such as `{use_vllm = true, vllm_mode = "colocate"}`. Fields
    that the recipe decides are refused."""

    @field_validator("grpo")
    @classmethod
    def _known_and_undecided(cls, grpo: dict[str, Any]) -> dict[str, Any]:
        for name in grpo:
            if name in DECIDED:
                raise ValueError(f"{name}: the recipe says this already, with {DECIDED[name]}")
        if grpo:
            from harness_trl.upstream import config_fields

            known = config_fields()
            for name in grpo:
                if name not in known:
                    raise ValueError(f"{name}: GRPOConfig has no such field; {near(name, known)}")
        return grpo

    @model_validator(mode="after")
    def _sampling_reaches_somebody(self) -> Self:
        lost = sorted(SAMPLING & self.grpo.keys())
        if lost and not self.by_trl:
            raise ValueError(
                f"grpo.{lost[0]} does nothing if the harness's engine generates; set generate = 'trl'"
            )
        return self

    @property
    def by_trl(self) -> bool:
        """Whether TRL generates."""
        asked = self.grpo.get("use_vllm") or self.grpo.get("use_transformers_continuous_batching")
        return self.generate == "trl" or (self.generate == "auto" and bool(asked))
