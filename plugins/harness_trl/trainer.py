"""The trainer `trl`: TRL's GRPOTrainer, a new one for each stage, on weights and moments that stay.

Where TRL asks for completions, the session draws tasks, verifies, gates and refills (`filling.py`);
where TRL has made an update, the session gets the step and says what comes next. All randomness of a
step is seeded by its key when it begins, so a resumed stage ends with the numbers of an unbroken one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import torch
from harness_torch.inputs import WITHOUT_LOGITS
from harness_torch.live import Live
from harness_torch.reference import reference_folder
from harness_torch.terms import terms_of
from harness_transformers.engine import TransformersEngine
from harness_transformers.quiet import quiet

from harness.contract import (
    Batch,
    BuildContext,
    Engine,
    Policy,
    PolicyRef,
    Rollout,
    Session,
    Task,
    TrainingError,
)
from harness.recipe import Stage
from harness.support import Scratch
from harness.training import Step, Update, refusal
from harness.training.drive import Drive
from harness_trl import upstream, vllm
from harness_trl.arguments import arguments
from harness_trl.filling import Filling, NothingLeft
from harness_trl.grpo import StageTrainer
from harness_trl.options import TrlOptions
from harness_trl.rows import StepRows
from harness_trl.weights import TrlWeights

ALMOST_NONE: Final = 1e-30


class TrlTrainer:
    """Trains the live weights stage after stage (protocol `Trainer`)."""

    def __init__(self, options: TrlOptions | None, context: BuildContext) -> None:
        """Raises TrainingError for a TRL that cannot be driven, for more than one process, and for another
        reference than the base under LoRA."""
        upstream.check()
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise TrainingError(
                "the trainer 'trl' runs in one process",
                where="WORLD_SIZE",
                hint="start the harness without accelerate or torchrun, or use the trainer 'verl'",
            )
        self.options = options or TrlOptions()
        if context.lora is not None and self.options.reference:
            raise TrainingError(
                "under LoRA, TRL takes the KL term against the base model",
                where="trainer.reference",
                hint="leave reference out, or train all weights",
            )
        self.context = context
        self.live = Live("trl", self.options, context, TrlWeights.of)
        self._scratch = Scratch("trl")

    @property
    def scratch(self) -> Path:
        """Folder for what TRL writes and no one keeps."""
        return self._scratch.path

    def engine(self, policy: Policy) -> Engine:
        """The engine of the live weights, which `policy` becomes if it is not them already."""
        self.live.load(policy)
        return self.live.engine(policy.ref, policy.files.context_length)

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        """Run one stage (protocol `Trainer`).

        Raises:
            TrainingError: loss or gradient are not finite, or the stage asks for what TRL cannot do.
        """
        weights = self.live.load(policy)
        if stage.optimizer.reset and session.first_step == 0:
            weights.forget_moments()
        self.live.begin()
        return self.live.end(StageRun(self, weights, stage, policy, session).run())

    def close(self) -> None:
        """Free the weights, and what vLLM holds."""
        if self.live.weights is not None and self.live.weights.vllm is not None:
            vllm.close(self.live.weights.vllm)
        self.live.close()
        self._scratch.close()


class StageRun:
    """One stage on its way (protocols `harness_trl.grpo.Steps` and `harness.training.backend.Weights`).

    TRL has a loop of its own: where it asks for a batch a step begins, and with its log line it ends.
    """

    def __init__(
        self, by: TrlTrainer, weights: TrlWeights, stage: Stage, policy: Policy, session: Session
    ) -> None:
        self.by, self.weights, self.stage = by, weights, stage
        self.conventions, self.context_length = session.conventions, policy.files.context_length
        self.first_step = session.first_step
        self.optimizer = stage.optimizer
        self.by_sequence = session.conventions.normalise == "sequence"
        self.replays = stage.replay is not None
        self.terms = terms_of(stage, session.conventions, by.context, inputs=WITHOUT_LOGITS)
        self.terms.load(policy)
        self.batch = Batch((), 0, 0, 0)
        self.filling = Filling(self)
        self.drive = Drive(stage, policy, session, self)

    def run(self) -> Policy:
        """TRL's loop, until the session says stop or there is nothing left to learn from."""
        if self.stage.kind != "rl":
            raise refusal(self.stage)
        self.trainer = self._trainer()
        try:
            with quiet():
                self.trainer.train()
        except NothingLeft:
            pass
        finally:
            self.weights.unwrap()
        return self.drive.policy

    def _trainer(self) -> StageTrainer:
        from accelerate.state import AcceleratorState
        from trl import GRPOConfig

        # Accelerate remembers the process's first precision and device; each stage has this run's.
        AcceleratorState._reset_state(reset_partial_state=True)
        os.environ.pop("ACCELERATE_MIXED_PRECISION", None)
        # It says so whenever it is handed one; we know.
        os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
        by = self.by
        fields = arguments(
            self.stage,
            self.conventions,
            by.options,
            folder=by.scratch,
            seed=by.context.seed,
            precision=by.live.precision,
            cpu=by.live.device.type == "cpu",
        )
        # Where TRL looks for the reference model of a KL term.
        name = self.weights.module.config._name_or_path
        if self.terms.referred and not self.stage.loss.kl:
            # TRL has a reference only if its own term is on; this much moves no weight.
            fields["beta"] = ALMOST_NONE
        if fields["beta"]:
            folder = reference_folder(by.options.reference, by.context, self.weights.origin)
            self.weights.module.config._name_or_path = str(folder)
        try:
            with quiet():
                return StageTrainer(self, self.weights, GRPOConfig(**fields))
        except (ValueError, TypeError, NotImplementedError, ImportError) as error:
            raise TrainingError(
                f"TRL refuses these settings: {error}",
                where=f"stage {self.stage.name!r}, trainer.grpo = {by.options.grpo}",
            ) from error
        finally:
            self.weights.module.config._name_or_path = name

    # What TRL asks --------------------------------------------------------------------------------

    def fill(self) -> StepRows:
        """A step's rows (protocol `Steps`).

        Raises:
            NothingLeft: no group was kept.
        """
        self.filling.clear()
        batch = self.drive.begin()
        if batch is None:
            raise NothingLeft
        self.batch = batch
        self.terms.begin(self.drive.step)
        return self.filling.rows(batch, self.trainer)

    def before_update(self, loss: float, parameters: Iterator[torch.nn.Parameter]) -> None:
        """Refuse to take a step that is not finite, and leave the weights as they are.

        Raises:
            TrainingError: the loss or the gradient is not finite.
        """
        hint = "lower optimizer.lr, or resume from the last checkpoint with other settings"
        where = self.drive.step.where
        if not torch.isfinite(torch.tensor(loss)):
            raise TrainingError(f"the loss is {loss}", where=where, hint=hint)
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if not torch.isfinite(norm):
            raise TrainingError(f"the gradient's norm is {norm.item()}", where=where, hint=hint)

    def after_update(self, logs: dict[str, float]) -> bool:
        """Report the step and obey (protocol `Steps`)."""
        update = Update(
            loss=logs["loss"],
            grad_norm=logs.get("grad_norm"),
            kl=logs.get("kl"),
            entropy=logs.get("entropy"),
            learning_rate=logs["learning_rate"],
            extra={"trained_tokens": float(self.filling.tokens), **self.terms.numbers()},
        )
        return self.drive.end(self.batch, update)

    # What a step asks -----------------------------------------------------------------------------

    def generate(self, tasks: Sequence[Task], step: Step) -> Iterator[Rollout]:
        return self.filling.generate(tasks, step, self.trainer)

    def engine(self, policy: PolicyRef) -> TransformersEngine:
        return self.by.live.engine(policy, self.context_length)

    def save(self, folder: Path, before: Policy) -> str:
        self.terms.save(folder, before)
        return self.weights.save(folder)
