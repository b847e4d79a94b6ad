"""From a stage to TRL's `GRPOConfig`: every field that a recipe decides, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.contract import TrainingError
from harness.recipe import Conventions, Stage
from harness_trl.options import TrlOptions

#: A stage ends when the session says so; TRL only wants a number of steps that it never reaches.
UNREACHED = 10**9
#: TRL's names for how per-token losses become one number.
LOSS_TYPES = {"token": "dapo", "sequence": "grpo"}


def micro_batch(rows: int, most: int) -> int:
    """The largest divisor of `rows` up to `most`: TRL takes equal micro-batches."""
    return next(size for size in range(min(rows, most), 0, -1) if rows % size == 0)


def arguments(
    stage: Stage,
    conventions: Conventions,
    options: TrlOptions,
    *,
    folder: Path,
    seed: int,
    precision: str,
    cpu: bool,
) -> dict[str, Any]:
    """Keyword arguments of `GRPOConfig` for a stage.

    Raises:
        TrainingError: what TRL cannot do, by the recipe's name.
    """
    rollout, loss, optimizer = stage.rollout, stage.loss, stage.optimizer
    where = f"stage {stage.name!r}"
    if rollout.temperature == 0:
        raise TrainingError(
            "TRL cannot sample at temperature 0", where=where, hint="raise rollout.temperature"
        )
    if stage.replay is not None and (options.by_trl or options.grpo.get("use_liger_kernel")):
        how = "use_liger_kernel" if options.grpo.get("use_liger_kernel") else "completions that TRL generates"
        raise TrainingError(
            f"TRL cannot weight replayed completions with {how}", where=f"{where}, replay",
            hint='leave replay out, or generate with the harness (trainer.generate = "engine")',
        )  # fmt: skip
    # Of one update.
    rows = rollout.batch * rollout.n // optimizer.mini_batches
    size = micro_batch(rows, options.micro_batch_rows)
    return {
        # What a user may change, before what the recipe decides.
        "gradient_checkpointing": False,
        "disable_dropout": True,
        # TRL's default differentiates the importance ratio in the KL term, too; a recipe's KL is plain.
        "use_bias_correction_kl": False,
        **options.grpo,
        "output_dir": str(folder),
        "learning_rate": optimizer.lr,
        "weight_decay": optimizer.weight_decay,
        "adam_beta1": optimizer.betas[0],
        "adam_beta2": optimizer.betas[1],
        "max_grad_norm": optimizer.max_grad_norm,
        "max_steps": UNREACHED,
        "num_generations": rollout.n,
        "max_completion_length": rollout.max_tokens,
        "temperature": rollout.temperature,
        "top_p": rollout.top_p,
        "top_k": rollout.top_k,
        "beta": loss.kl,
        "entropy_coef": loss.entropy,
        "epsilon": loss.clip_low,
        "epsilon_high": loss.clip_high,
        "loss_type": LOSS_TYPES[conventions.normalise],
        # The session's advantages take the place of TRL's, which are left unscaled.
        "scale_rewards": "none",
        "num_iterations": optimizer.epochs,
        "steps_per_generation": rows // size * optimizer.mini_batches,
        "per_device_train_batch_size": size,
        "gradient_accumulation_steps": rows // size,
        "seed": seed,
        "bf16": precision == "bf16",
        "fp16": False,
        "use_cpu": cpu,
        "eval_strategy": "no",
        "save_strategy": "no",
        "logging_strategy": "steps",
        "logging_steps": 1,
        # The harness shows progress and keeps records of its own, unless the user names a tracker.
        "report_to": options.grpo.get("report_to", "none"),
        "disable_tqdm": True,
        "shuffle_dataset": False,
        "dataloader_pin_memory": False,
    }
