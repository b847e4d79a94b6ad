"""verl's training worker with what a stage needs: its own learning rate at every step, the optimizer of the
stage before, a reference model that need not be the stage's first policy, and the settings of another stage.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from verl.single_controller.base.decorator import Dispatch, register
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.engine_workers import ActorRolloutRefWorker, TrainingWorker

from harness_verl_worker import restage
from harness_verl_worker.lora import ActorWorker, write_adapter

REFERENCE: Final = "HARNESS_VERL_REFERENCE"


class ReferenceWorker(TrainingWorker):  # type: ignore[misc]
    """The reference model: the run's initial policy. verl itself knows one model path per job."""

    def __init__(self, config: Any) -> None:
        folder = os.environ.get(REFERENCE)
        if folder:
            # A copy of the actor's, made for this worker; its dataclass is frozen.
            object.__setattr__(config.model_config, "path", folder)
            object.__setattr__(config.model_config, "local_path", folder)
        super().__init__(config)


class StageWorker(ActorRolloutRefWorker):  # type: ignore[misc]
    """Actor, rollout and reference in one process (verl's hybrid worker)."""

    actor_worker_cls = ActorWorker
    ref_worker_cls = ReferenceWorker

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)  # type: ignore[untyped-decorator]
    def set_learning_rate(self, rate: float) -> None:
        """For the next update. verl's own warm-up starts with a step at rate 0, the harness's does not."""
        for group in self.actor.engine.optimizer.param_groups:
            group["lr"] = rate

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)  # type: ignore[untyped-decorator]
    def write_adapter(self, folder: str) -> None:
        """The adapter as a file, under LoRA."""
        write_adapter(self.actor.engine, Path(folder), self.rank)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)  # type: ignore[untyped-decorator]
    def take_optimizer(self, folder: str) -> None:
        """Go on with the moments of another stage, under this stage's own settings."""
        engine = self.actor.engine
        optimizer = engine.optimizer
        path = Path(folder) / f"optim_world_size_{self.world_size}_rank_{self.rank}.pt"
        settings = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
        optimizer.load_state_dict(torch.load(path, weights_only=False))
        for group, own in zip(optimizer.param_groups, settings, strict=True):
            group.update(own)
        if getattr(engine, "_is_offload_optimizer", False):
            from verl.utils.fsdp_utils import offload_fsdp_optimizer

            offload_fsdp_optimizer(optimizer)

    @register(dispatch_mode=Dispatch.ONE_TO_ALL)  # type: ignore[untyped-decorator]
    def take_stage(self, changed: Mapping[str, Any], reset: bool) -> None:
        """Go on with another stage's settings (`harness_verl_worker.restage`).

        Args:
            changed: what differs, by its path in verl's configuration.
            reset: whether the optimizer forgets its moments.
        """
        restage.put(self.config, changed, below="actor_rollout_ref")
        actor, rollout, reference = self.config.actor, self.config.rollout, self.config.ref
        settings = omega_conf_to_dataclass(actor)
        settings.model_config = self.actor.model_config
        self.loss_fn: partial[Any] = partial(self.loss_fn, config=settings)
        self.actor.set_loss_fn(self.loss_fn)
        self.actor.engine_config.micro_batch_size_per_gpu = actor.ppo_micro_batch_size_per_gpu
        self.actor.engine_config.infer_micro_batch_size_per_gpu = rollout.log_prob_micro_batch_size_per_gpu
        self.actor.optimizer_config.clip_grad = actor.optim.clip_grad
        if self.ref is not None and "log_prob_micro_batch_size_per_gpu" in reference:
            # verl has taken the first stage's out.
            size = reference.log_prob_micro_batch_size_per_gpu
            self.ref.engine_config.infer_micro_batch_size_per_gpu = size
        optimizer = self.actor.engine.optimizer
        for group in optimizer.param_groups:
            group.update(weight_decay=actor.optim.weight_decay, betas=tuple(actor.optim.betas))
        if reset:
            optimizer.state.clear()
