"""What a running job takes over of another stage, and what it was started for.

verl reads most of a stage at each step. Some of it has become an object: the number of reward workers, the
reference model, the engine. A stage that asks for another one of those needs another job.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

#: In verl's complete configuration, what is read anew at each step or by each request, or is set where it
#: was read (`take_stage` of the trainer's workers and of the agent loop's).
READ: Final = re.compile(
    r"""
    actor_rollout_ref\.actor\.(
        clip_ratio(_low|_high)? | entropy_coeff | kl_loss_coef | use_kl_loss | ppo_epochs
        | ppo_mini_batch_size | ppo_micro_batch_size_per_gpu | rollout_n
        | optim\.(betas | clip_grad | lr | weight_decay)
    )
    | actor_rollout_ref\.ref\.(log_prob_micro_batch_size_per_gpu | rollout_n)
    | actor_rollout_ref\.rollout\.(
        n | temperature | top_p | top_k | prompt_length | response_length
        | log_prob_micro_batch_size_per_gpu | trace\.experiment_name
    )
    | data\.(train_batch_size | max_prompt_length | max_response_length)
    | trainer\.(experiment_name | default_local_dir)
    """,
    re.VERBOSE,
)
#: Where a stage begins. A job that goes on is there already, which the driver looks after.
PLACE: Final = re.compile(
    r"actor_rollout_ref\.(model\.(path|lora_adapter_path)|rollout\.prometheus\.served_model_name)"
    r"|trainer\.resume_(mode|from_path)"
)
#: What a stage under this plugin makes no use of.
UNUSED: Final = re.compile(r"(critic|distillation|reward\.reward_model)\..*")

#: Of reward workers a stage may leave some idle.
WORKERS: Final = "reward.num_workers"
KL: Final = "actor_rollout_ref.actor.use_kl_loss"
STRATEGY: Final = "actor_rollout_ref.actor.strategy"
#: Engines of verl whose optimizer is one of torch's.
STRATEGIES: Final = frozenset({"fsdp", "fsdp2"})


def changes(now: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What differs in two configurations, by its path, as it is wanted; None for what is left out."""
    before, after = _flat(now, ""), _flat(wanted, "")
    paths = sorted(before.keys() | after.keys())
    differing = [path for path in paths if before.get(path) != after.get(path)]
    return {
        path: after.get(path)
        for path in differing
        if not PLACE.fullmatch(path) and not UNUSED.fullmatch(path)
    }


def fixed(now: Mapping[str, Any], changed: Mapping[str, Any], *, strategy: str, reference: bool) -> list[str]:
    """Of those, what a running job cannot take over.

    Args:
        now: the configuration that it has taken.
        strategy: the engine that it trains with.
        reference: whether it has a reference model.
    """
    if strategy not in STRATEGIES:
        return [STRATEGY]
    running = _flat(now, "").get(WORKERS, 0)

    def is_taken(path: str, value: Any) -> bool:
        if path == WORKERS:
            return bool(value is not None and value <= running)
        return READ.fullmatch(path) is not None and (path != KL or not value or reference)

    return [path for path, value in changed.items() if not is_taken(path, value)]


def taken(now: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a job that took another one over: it keeps its reward workers."""
    mine = dict(wanted)
    if "reward" in now:
        mine["reward"] = {**wanted["reward"], "num_workers": now["reward"]["num_workers"]}
    return mine


def put(config: Any, changed: Mapping[str, Any], *, below: str = "") -> None:
    """Set them in a configuration of verl's (a DictConfig).

    Args:
        below: path of the part that `config` is; the others are left out.
    """
    from omegaconf import OmegaConf

    prefix = f"{below}." if below else ""
    for path, value in changed.items():
        if path.startswith(prefix):
            OmegaConf.update(config, path.removeprefix(prefix), value, force_add=True)


def _flat(value: Mapping[str, Any], path: str) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name, inner in value.items():
        below = f"{path}.{name}" if path else str(name)
        leaves |= _flat(inner, below) if isinstance(inner, Mapping) else {below: inner}
    return leaves
