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
import math
from collections.abc import Iterator
from typing import Any, Protocol

import torch
from datasets import Dataset
from harness_torch.terms import Terms
from harness_transformers.lora import LoraNetwork
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from transformers import PrinterCallback, ProgressCallback, TrainerCallback
from trl.trainer.utils import split_tensor_dict

from harness.contract import TrainingError
from harness.recipe import OptimizerOptions
from harness_trl import vllm
from harness_trl.imported import GRPOConfig, GRPOTrainer
from harness_trl.reference import reference_logits
from harness_trl.rows import OLD, REWARDS, SCORES, StepRows, rewards
from harness_trl.weights import TrlWeights


def _is_news(record: logging.LogRecord) -> bool:
    """TRL prints every row without a reward, task and all; plugins have got them from the session already."""
    return "All reward functions returned None" not in record.getMessage()


logging.getLogger("trl.trainer.grpo_trainer").addFilter(_is_news)


class Steps(Protocol):
    """What a stage offers to the trainer."""

    #: Harness steps done before this trainer began.
    first_step: int
    optimizer: OptimizerOptions
    by_sequence: bool
    #: Whether groups of earlier steps may join a batch.
    replays: bool
    terms: Terms

    def fill(self) -> StepRows:
        """A step's rows."""
        ...

    def before_update(self, loss: float, parameters: Iterator[torch.nn.Parameter]) -> None:
        """Called with gradients in place, and the loss so far of the pass over the batch."""
        ...

    def after_update(self, logs: dict[str, float]) -> bool:
        """Called with TRL's log line of a step's last update; whether the stage is over."""
        ...


class StageTrainer(GRPOTrainer):  # type: ignore[misc]
    """One stage's trainer."""

    optimizer: Any
    _buffered_inputs: Any

    def __init__(self, stage: Steps, weights: TrlWeights, config: GRPOConfig) -> None:
        self.stage, self.weights = stage, weights
        self.rows = StepRows(())
        #: Log-probabilities and entropies as TRL last computed them.
        self.statistics: Any = ()
        #: Those under the policies that sampled, of a loss with replays: nan until the loss knows its own.
        self.unknown_old: Tensor | None = None
        #: Loss of the pass over the batch that is under way, summed over its micro-batches.
        self.pass_loss = torch.zeros(())
        #: Tokens in the loss of the update under way.
        self.update_tokens = 0.0
        self.entropy_share = config.entropy_coef
        #: Sums over the pass's tokens of what TRL measures.
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

    @property
    def multiple(self) -> int:
        """TRL's batch is of whole groups for its advantages, and of equal micro-batches."""
        return math.lcm(self.num_generations, self.args.steps_per_generation)

    def _fill(self) -> dict[str, Any]:
        if not self.stage.replays:
            self.rows = self.stage.fill()
        return self.rows.fields()

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        if self.stage.replays:
            # How many rows a step has is known when it is filled; TRL wants as many slots.
            self.rows = self.stage.fill()
            inputs = [{"prompt": ""} for _ in self.rows.rows]
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        return self.rows.adopt(output)

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        """As TRL does it, without its shuffle: mini-batches are cut from the batch's order, which is the
        session's, so that they are the same under every trainer."""
        updates = self.args.steps_per_generation
        if self._step % (updates * self.num_iterations) == 0 or self._buffered_inputs is None:
            whole = self._generate_and_score_completions(generation_batch)
            self._buffered_inputs = split_tensor_dict(whole, updates)
        inputs: dict[str, Any] = self._buffered_inputs[self._step % updates]
        return inputs

    # Optimizer: kept over stages ------------------------------------------------------------------

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """The run's optimizer under this stage's settings; TRL's own if there is none yet."""
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
            return stage.optimizer.warmup(stage.first_step + updates_done // stage.optimizer.updates + 1)

        self.lr_scheduler = LambdaLR(optimizer or self.optimizer, factor)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    # Loss -----------------------------------------------------------------------------------------

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Tensor:
        """TRL's loss, whose averages are over what counts: rows that were masked, or that only fill up the
        batch, do not count, and each token's entropy counts alike in every micro-batch."""
        mask = inputs["completion_mask"]
        if self.entropy_share:
            share = mask.sum() / inputs["num_items_in_batch"].clamp(min=1)
            self.entropy_coef = self.entropy_share * share.item() * self.args.steps_per_generation
        self.unknown_old = inputs.get(OLD) if self.stage.replays else None
        loss: Tensor = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if self.stage.terms:
            loss = loss + self._terms(inputs)
        if self.stage.by_sequence and self.rows.counted:
            loss = loss * (len(self.rows.rows) / self.rows.counted)
        self.pass_loss = self.pass_loss + loss.detach().cpu() / self.stage.optimizer.mini_batches
        self.update_tokens += float(mask.sum())
        for name in self.means:
            if self._metrics["train"].get(name):
                self.means[name] += self._metrics["train"][name][-1] * float(mask.sum())
        return loss

    def _get_per_token_logps_and_entropies(self, *given: Any, **named: Any) -> Any:
        """TRL's, of which the last call within a loss is that of the policy in training."""
        statistics = super()._get_per_token_logps_and_entropies(*given, **named)
        if self.unknown_old is not None:
            # The policy in training sampled what has no log-probabilities of an earlier one.
            old, self.unknown_old = self.unknown_old, None
            old.copy_(torch.where(old.isnan(), statistics[0].detach(), old))
        if self.stage.terms:
            self.statistics = statistics
        return statistics

    def _terms(self, inputs: Any) -> Tensor:
        """The loss terms of plugins, normalised as TRL normalises its own."""
        mask: Tensor = inputs["completion_mask"]
        shown = mask.bool()

        def matrix(values: Tensor) -> Tensor:
            return torch.where(shown, values, 0.0)

        if not self.statistics:
            raise TrainingError(
                "TRL computes its loss without log-probabilities that loss terms could see",
                where="trainer.grpo",
                hint="leave use_liger_kernel out, or the stage's loss.terms",
            )
        (logprobs, entropy, *_), self.statistics = self.statistics, ()
        old, reference = inputs.get(OLD), inputs.get("ref_per_token_logps")
        available = {
            "logprobs": matrix(logprobs),
            "old_logprobs": matrix(logprobs.detach() if old is None else old),
            "entropy": matrix(entropy),
            "advantages": inputs["advantages"][:, None].expand_as(logprobs),
            "rewards": inputs[REWARDS][:, None].expand_as(logprobs),
            "scores": inputs[SCORES][:, None].expand_as(logprobs),
            "targets": inputs["completion_ids"][shown],
            "mask": shown,
        }
        if reference is not None:
            available["ref_logprobs"] = matrix(reference)
        if "ref_logits" in self.stage.terms.wanted:
            available["ref_logits"] = reference_logits(self, inputs, shown)
        total = self.stage.terms.total(available)
        assert total is not None
        summed = matrix(total)
        loss: Tensor
        if self.stage.by_sequence:
            means = summed.sum(-1) / mask.sum(-1).clamp(min=1)
            loss = means.mean() / self.current_gradient_accumulation_steps
            return loss
        windows = self.args.steps_per_generation / self.current_gradient_accumulation_steps
        loss = summed.sum() / inputs["num_items_in_batch"].clamp(min=1) * windows
        return loss

    def measured(self) -> dict[str, float]:
        """The pass's loss, and its KL and entropy per token: TRL logs means of its micro-batches' means,
        whatever their lengths. Begins the next pass."""
        numbers = {"loss": float(self.pass_loss)}
        if self.rows.tokens:
            numbers |= {name: total / self.rows.tokens for name, total in self.means.items()}
        self.pass_loss, self.means = torch.zeros(()), dict.fromkeys(self.means, 0.0)
        return numbers


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
        trainer.stage.before_update(float(trainer.pass_loss), trainer.model.parameters())
        if not trainer.update_tokens:
            # All of it was masked. AdamW passes over what has no gradient; moments alone would move it.
            trainer.model.zero_grad(set_to_none=True)
        trainer.update_tokens = 0.0

    def on_log(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """The log line of an update: the first moment at which loss, norm and rate are all there."""
        logs: dict[str, float] = given["logs"]
        if "loss" not in logs:
            return
        trainer, optimizer = self.trainer, self.trainer.stage.optimizer
        if state.global_step % optimizer.mini_batches:
            return
        logs |= trainer.measured()
        if state.global_step % optimizer.updates == 0:
            trainer.weights.network.changed()
            control.should_training_stop = trainer.stage.after_update(logs)
