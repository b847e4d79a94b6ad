"""The trainer `trl`: TRL's GRPOTrainer, a new one for each stage, on weights and moments that stay.

Where TRL asks for completions, the session draws tasks, verifies, gates and refills (`filling.py`);
where TRL has made an update, the session gets the step and says what comes next. All randomness of a
step is seeded by its key when it begins, so a resumed stage ends with the numbers of an unbroken one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from harness_torch.live import Live
from harness_torch.metrics import Phases, group_metrics
from harness_torch.reference import reference_folder
from harness_transformers.engine import TransformersEngine
from harness_transformers.quiet import quiet
from harness_transformers.saving import save

from harness.errors import TrainingError
from harness.protocols import Batch, BuildContext, Engine, Policy, Session
from harness.recipe import Stage
from harness.records import PolicyRef
from harness_trl import upstream, vllm
from harness_trl.arguments import arguments
from harness_trl.filling import Filling, NothingLeft
from harness_trl.grpo import StageTrainer
from harness_trl.options import TrlOptions
from harness_trl.rows import StepRows
from harness_trl.weights import TrlWeights


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
        self._scratch = tempfile.TemporaryDirectory(prefix="harness-trl-")

    @property
    def scratch(self) -> Path:
        """Where TRL may write what nobody keeps."""
        return Path(self._scratch.name)

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
        """Let go of the weights, and of vLLM."""
        if self.live.weights is not None and self.live.weights.vllm is not None:
            vllm.close(self.live.weights.vllm)
        self.live.close()
        self._scratch.cleanup()


class StageRun:
    """One stage on its way (protocol `harness_trl.grpo.Steps`)."""

    def __init__(
        self, by: TrlTrainer, weights: TrlWeights, stage: Stage, policy: Policy, session: Session
    ) -> None:
        self.by, self.weights, self.stage, self.policy, self.session = by, weights, stage, policy, session
        self.where = f"stage {stage.name!r}"
        self.first_step = session.first_step
        self.updates = by.options.updates
        self.optimizer = stage.optimizer
        self.by_sequence = session.conventions.normalise == "sequence"
        self.step, self.saved = session.first_step + 1, session.first_step
        self.phases = Phases()
        self.batch = Batch((), 0, 0, 0)
        self.filling = Filling(self)

    def run(self) -> Policy:
        """TRL's loop, until the session says stop or there is nothing left to learn from."""
        if self.stage.kind != "rl":
            raise TrainingError(
                f"cannot train a stage of kind {self.stage.kind!r}", where=self.where, allowed="rl"
            )
        trainer = self._trainer()
        try:
            with quiet():
                trainer.train()
        except NothingLeft:
            if self.saved != self.step - 1:
                self._save(self.step - 1)
        finally:
            self.weights.unwrap()
        return self.policy

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
            self.session.conventions,
            by.options,
            folder=by.scratch,
            seed=by.context.seed,
            precision=by.live.precision,
            cpu=by.live.device.type == "cpu",
        )
        # Where TRL looks for the reference model of a KL term.
        name = self.weights.module.config._name_or_path
        if self.stage.loss.kl:
            folder = reference_folder(by.options.reference, by.context, self.weights.origin)
            self.weights.module.config._name_or_path = str(folder)
        try:
            with quiet():
                return StageTrainer(self, self.weights, GRPOConfig(**fields))
        except (ValueError, TypeError, NotImplementedError, ImportError) as error:
            raise TrainingError(
                f"TRL refuses these settings: {error}",
                where=f"{self.where}, trainer.grpo = {by.options.grpo}",
            ) from error
        finally:
            self.weights.module.config._name_or_path = name

    # What TRL asks --------------------------------------------------------------------------------

    def fill(self, trainer: StageTrainer) -> StepRows:
        """A step's rows (protocol `Steps`)."""
        with self.phases("rollouts"):
            self.batch, rows = self.filling.fill(trainer)
        return rows

    def before_update(self, loss: float, parameters: Iterator[torch.nn.Parameter]) -> None:
        """Refuse to take a step that is not finite, and leave the weights as they are.

        Raises:
            TrainingError: the loss or the gradient is not finite.
        """
        hint = "lower optimizer.lr, or resume from the last checkpoint with other settings"
        where = f"{self.where}, step {self.step}"
        if not torch.isfinite(torch.tensor(loss)):
            raise TrainingError(f"the loss is {loss}", where=where, hint=hint)
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if not torch.isfinite(norm):
            raise TrainingError(f"the gradient's norm is {norm.item()}", where=where, hint=hint)

    def after_update(self, logs: dict[str, float]) -> bool:
        """Report the step and obey (protocol `Steps`)."""
        plain = group_metrics(self.stage.name, self.step, self.batch)
        directive = self.session.finish_step(
            replace(
                plain,
                loss=logs["loss"],
                grad_norm=logs.get("grad_norm"),
                kl=logs.get("kl"),
                entropy=logs.get("entropy"),
                learning_rate=logs["learning_rate"],
                cpu_seconds=self.phases.cpu_seconds,
                seconds=self.phases.seconds,
                extra={"trained_tokens": float(self.filling.tokens), **self.phases.fields()},
            )
        )
        if directive.evaluate:
            self.session.evaluate(self.engine(self.step))
        if directive.checkpoint or directive.stop is not None:
            self._save(self.step)
        self.step += 1
        self.phases = Phases()
        return directive.stop is not None

    def engine(self, steps_done: int) -> TransformersEngine:
        """The live weights' engine. Weights inside a stage have a name but no hash: they are not on disk."""
        ref = self.policy.ref
        if steps_done and (steps_done != ref.step or ref.stage != self.stage.name):
            ref = PolicyRef(weights_sha="", stage=self.stage.name, step=steps_done)
        return self.by.live.engine(ref, self.policy.files.context_length)

    def _save(self, step: int) -> None:
        self.policy = save(self.session, self.policy, self.stage.name, step, self.weights.save)
        self.saved = step
