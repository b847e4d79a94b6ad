"""The trainer `trl`: TRL's GRPOTrainer, a new one for each stage, on weights and moments that stay.

Where TRL asks for completions, the session draws tasks, verifies, gates and refills (`filling.py`);
where TRL has made an update, the session gets the step and says what comes next. All randomness of a
step is seeded by its key when it begins, so a resumed stage ends with the numbers of an unbroken one.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from harness_torch.metrics import Phases, group_metrics
from harness_torch.reference import reference_folder
from harness_transformers.device import resolve_device, set_threads
from harness_transformers.engine import EngineOptions, TransformersEngine
from harness_transformers.generation import Generator
from harness_transformers.network import MODEL
from harness_transformers.prompts import end_tokens

from harness.errors import TrainingError
from harness.protocols import Batch, BuildContext, Engine, Policy, Session
from harness.recipe import Stage
from harness.records import PolicyRef
from harness_trl import upstream, vllm
from harness_trl.arguments import arguments
from harness_trl.filling import Filling, NothingLeft
from harness_trl.grpo import StageTrainer
from harness_trl.live import Live
from harness_trl.options import TrlOptions
from harness_trl.rows import StepRows


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without warnings about a field that transformers renamed and TRL sets by its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`(is_)?gradient_checkpointing`", FutureWarning)
        yield


class TrlTrainer:
    """Trains the live weights stage after stage (protocol `Trainer`)."""

    def __init__(self, options: TrlOptions | None, context: BuildContext) -> None:
        """Raises TrainingError for a TRL that cannot be driven, and for more than one process."""
        upstream.check()
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise TrainingError(
                "the trainer 'trl' runs in one process",
                where="WORLD_SIZE",
                hint="start the harness without accelerate or torchrun, or use the trainer 'verl'",
            )
        self.options = options or TrlOptions()
        self.context = context
        self.device = resolve_device(self.options.device or context.resources.device)
        self.precision = self.options.precision or context.resources.precision
        self.mode = self.options.prompt or context.render
        set_threads(self.options.threads or context.resources.threads)
        self._scratch = tempfile.TemporaryDirectory(prefix="harness-trl-")
        self._live: Live | None = None
        self._policy: Policy | None = None
        self._engine = TransformersEngine(
            EngineOptions(
                prompt=self.mode,
                device=self.device.type,
                precision=self.precision,
                threads=self.options.threads,
                batch_rows=self.options.batch_rows,
                batch_tokens=self.options.batch_tokens,
                own_decoder=self.options.own_decoder,
            ),
            context,
        )

    @property
    def scratch(self) -> Path:
        """Where TRL may write what nobody keeps."""
        return Path(self._scratch.name)

    def engine(self, policy: Policy) -> Engine:
        """The engine of the live weights, which `policy` becomes if it is not them already."""
        return self.adopt(self._load(policy), policy.ref, policy.files.context_length)

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        """Run one stage (protocol `Trainer`).

        Raises:
            TrainingError: loss or gradient are not finite, or the stage asks for what TRL cannot do.
        """
        live = self._load(policy)
        if stage.optimizer.reset and session.first_step == 0:
            live.forget_moments()
        # From here on the live weights are no policy on disk, until the stage has ended well.
        self._policy = None
        self._policy = StageRun(self, live, stage, policy, session).run()
        return self._policy

    def close(self) -> None:
        """Let go of the weights, and of vLLM."""
        if self._live is not None and self._live.vllm is not None:
            vllm.close(self._live.vllm)
        self._live = self._policy = None
        self._engine.close()
        self._scratch.cleanup()

    def adopt(self, live: Live, ref: PolicyRef, context_length: int) -> TransformersEngine:
        """The engine on the live weights under a name."""
        generator = Generator(
            live.network,
            live.renderer,
            end_tokens(live.renderer, getattr(live.module, "generation_config", None)),
            self.device,
            self.options.batch_rows,
            self.options.batch_tokens,
        )
        self._engine.adopt(generator, ref, context_length)
        return self._engine

    def _load(self, policy: Policy) -> Live:
        live = self._policy.ref.weights_sha if self._policy else None
        if self._live is None or live != policy.ref.weights_sha:
            before = self._live
            self._live = Live.open(
                policy,
                device=self.device,
                precision=self.precision,
                prompt=self.mode,
                own_decoder=self.options.own_decoder,
                context=self.context,
            )
            if before is not None:
                # The same run with other weights: vLLM gets them when it is next asked.
                self._live.origin, self._live.vllm = before.origin, before.vllm
        self._policy = policy
        return self._live


class StageRun:
    """One stage on its way (protocol `harness_trl.grpo.Steps`)."""

    def __init__(self, by: TrlTrainer, live: Live, stage: Stage, policy: Policy, session: Session) -> None:
        self.by, self.live, self.stage, self.policy, self.session = by, live, stage, policy, session
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
            self.live.unwrap()
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
            precision=by.precision,
            cpu=by.device.type == "cpu",
        )
        # Where TRL looks for the reference model of a KL term.
        name = self.live.module.config._name_or_path
        if self.stage.loss.kl:
            if by.context.lora is not None and by.options.reference:
                raise TrainingError(
                    "under LoRA, TRL takes the KL term against the base model",
                    where=f"{self.where}, trainer.reference",
                    hint="leave reference out, or train all weights",
                )
            folder = reference_folder(by.options.reference, by.context, self.live.origin)
            self.live.module.config._name_or_path = str(folder)
        try:
            with quiet():
                return StageTrainer(self, self.live, GRPOConfig(**fields))
        except (ValueError, TypeError, NotImplementedError, ImportError) as error:
            raise TrainingError(
                f"TRL refuses these settings: {error}",
                where=f"{self.where}, trainer.grpo = {by.options.grpo}",
            ) from error
        finally:
            self.live.module.config._name_or_path = name

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
        return self.by.adopt(self.live, ref, self.policy.files.context_length)

    def _save(self, step: int) -> None:
        parent = Path()

        def write(folder: Path) -> PolicyRef:
            nonlocal parent
            parent = folder.parent
            sha = self.live.save(folder)
            return PolicyRef(weights_sha=sha, stage=self.stage.name, step=step)

        checkpoint = self.session.save(write)
        folder = parent / Path(checkpoint.path).name
        files = replace(self.policy.files, path=folder / MODEL, weights_sha=checkpoint.policy.weights_sha)
        self.policy, self.saved = Policy(checkpoint.policy, files, folder), step
