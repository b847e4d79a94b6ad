"""TRL's GRPOTrainer with a session in the place of its data set.

TRL keeps its loop, loss, gradient accumulation and generation. What a session decides enters at four
points: `rollout_func` gives a step's completions (drawn by the curriculum, gated and refilled), the
reward function hands the verifiers' rewards through, `_generate_and_score_completions` gets the
session's advantages and masks, and a callback reports each step and obeys the directive. The data set
is a row of slots: which task fills a slot is decided when the step begins, after the step before was
observed; a data loader that reads ahead would decide too early.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from datasets import Dataset
from harness_transformers.lora import LoraNetwork
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from transformers import PrinterCallback, ProgressCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from harness.recipe import OptimizerOptions
from harness_trl import vllm
from harness_trl.rows import StepRows, rewards
from harness_trl.weights import TrlWeights


def _is_news(record: logging.LogRecord) -> bool:
    """TRL prints every row without a reward, task and all; the session has told plugins already."""
    return "All reward functions returned None" not in record.getMessage()


logging.getLogger("trl.trainer.grpo_trainer").addFilter(_is_news)


class Steps(Protocol):
    """What a stage offers to the trainer."""

    #: Harness steps done before this trainer began.
    first_step: int
    updates: int
    optimizer: OptimizerOptions
    by_sequence: bool

    def fill(self, trainer: StageTrainer) -> StepRows:
        """A step's rows."""
        ...

    def before_update(self, loss: float, parameters: Iterator[torch.nn.Parameter]) -> None:
        """Called with gradients in place."""
        ...

    def after_update(self, logs: dict[str, float]) -> bool:
        """Called with TRL's log line of an update; whether the stage is over."""
        ...


class StageTrainer(GRPOTrainer):  # type: ignore[misc]
    """One stage's trainer."""

    optimizer: Any

    def __init__(self, stage: Steps, weights: TrlWeights, config: GRPOConfig) -> None:
        self.stage, self.weights = stage, weights
        self.rows = StepRows(())
        #: Of the update under way, summed over its micro-batches.
        self.update_loss = torch.zeros(())
        self.entropy_share = config.entropy_coef
        #: Sums over the update's tokens of what TRL measures.
        self.means = dict.fromkeys(("kl", "entropy") if config.beta else ("entropy",), 0.0)
        # vLLM is made once: a stage's own copy would want the memory that the last one's still has.
        carried = weights.vllm if config.use_vllm else None
        config.use_vllm = config.use_vllm and carried is None
        with vllm.making(config):
            super().__init__(
                model=weights.trained,
                reward_funcs=rewards,
                args=config,
                train_dataset=Dataset.from_dict({"prompt": [""]}),
                # TRL sets a padding token; what is saved stays as it was.
                processing_class=copy.deepcopy(weights.renderer.tokenizer),
                callbacks=[Report(self)],
                rollout_func=lambda prompts, trainer: self._fill(),
            )
        if isinstance(weights.network, LoraNetwork) and "ref" in weights.network.peft.peft_config:
            # TRL's copy of the adapter: the policy that the stage began with. Without it, the reference is
            # the base model, with which the run began.
            weights.network.peft.delete_adapter("ref")
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        if carried is not None:
            self._take_over(carried)
        elif self.use_vllm:
            weights.vllm = vllm.following(self.vllm_generation, config, weights.network)

    def _take_over(self, carried: Any) -> None:
        """Generate with the vLLM of the stage before, under this stage's settings."""
        carried.model, carried.accelerator = self.model, self.accelerator
        for name in ("temperature", "top_p", "top_k", "max_completion_length"):
            setattr(carried, name, getattr(self, name))
        self.use_vllm = self.args.use_vllm = True
        self.vllm_generation, self._last_loaded_step = carried, -1

    # Data: slots ----------------------------------------------------------------------------------

    def get_train_dataloader(self) -> Any:
        """Batches of slots without end."""
        return Slots(self.args.generation_batch_size)

    def _fill(self) -> dict[str, Any]:
        self.rows = self.stage.fill(self)
        return self.rows.fields()

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        return self.rows.adopt(output)

    # Optimizer: kept over stages ------------------------------------------------------------------

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The run's optimizer under this stage's settings; TRL's own where there is none yet."""
        if self.optimizer is None and self.weights.optimizer is not None:
            self.optimizer = self.weights.optimizer
        made: torch.optim.Optimizer = super().create_optimizer(model)
        if self.weights.waiting is not None:
            made.load_state_dict(self.weights.waiting)
            self.weights.waiting = None
        options = self.stage.optimizer
        for group, decays in zip(made.param_groups, (True, False), strict=False):
            group.pop("initial_lr", None)
            group["lr"] = options.lr
            group["weight_decay"] = options.weight_decay if decays else 0.0
            if "betas" in group:
                group["betas"] = options.betas
        self.weights.optimizer = made
        return made

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Linear warm-up from 0 over the stage's first steps, then constant; resumed where it was."""
        stage = self.stage

        def factor(updates_done: int) -> float:
            return stage.optimizer.warmup(stage.first_step + updates_done // stage.updates + 1)

        self.lr_scheduler = LambdaLR(optimizer or self.optimizer, factor)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    # Loss -----------------------------------------------------------------------------------------

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """TRL's loss, whose averages are over what counts: rows that were masked, or that only fill up the
        batch, are no part of them, and each token's entropy counts alike in every micro-batch."""
        mask = inputs["completion_mask"]
        if self.entropy_share:
            share = mask.sum() / inputs["num_items_in_batch"].clamp(min=1)
            self.entropy_coef = self.entropy_share * share.item() * self.current_gradient_accumulation_steps
        loss: Tensor = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if self.stage.by_sequence and self.rows.counted:
            loss = loss * (len(self.rows.rows) / self.rows.counted)
        self.update_loss = self.update_loss + loss.detach().cpu()
        for name in self.means:
            if self._metrics["train"].get(name):
                self.means[name] += self._metrics["train"][name][-1] * float(mask.sum())
        return loss

    def measured(self) -> dict[str, float]:
        """The update's loss, and its KL and entropy a token: TRL logs means of its micro-batches' means,
        whatever their lengths. Begins the next update."""
        found = {"loss": float(self.update_loss)}
        if self.rows.tokens:
            found |= {name: total / self.rows.tokens for name, total in self.means.items()}
        self.update_loss, self.means = torch.zeros(()), dict.fromkeys(self.means, 0.0)
        return found


class Slots:
    """A data loader of empty rows: distinct ones, for TRL writes into them."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[list[dict[str, str]]]:
        while True:
            yield [{"prompt": ""} for _ in range(self.rows)]


class Report(TrainerCallback):
    """Between TRL's loop and the stage."""

    def __init__(self, trainer: StageTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        trainer = self.trainer
        trainer.stage.before_update(float(trainer.update_loss), trainer.model.parameters())
        if not trainer.rows.tokens:
            # All of the step was masked. AdamW passes over what has no gradient; moments alone would move it.
            trainer.model.zero_grad(set_to_none=True)

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """The log line of an update: the first moment at which loss, norm and rate are all there."""
        logs: dict[str, float] = given["logs"]
        if "loss" not in logs:
            return
        trainer = self.trainer
        logs |= trainer.measured()
        if state.global_step % trainer.stage.updates == 0:
            trainer.weights.network.changed()
            control.should_training_stop = trainer.stage.after_update(logs)
