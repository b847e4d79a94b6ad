"""The trainer `torch`: on-policy GRPO, one process, one device.

A step adds up the gradient of the loss over micro-batches and makes one AdamW update; the loop around it
is `harness.training.drive`. Nothing here is random: completions are drawn by their keys, so that weights
and optimizer are all the state there is, and a resumed stage ends with the same bits as an unbroken one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness_transformers.engine import TransformersEngine
from harness_transformers.network import Network, open_network

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
from harness.training import Backend, Step, Update, sampled
from harness.training.drive import drive
from harness_torch.learner import Learner
from harness_torch.live import Live
from harness_torch.mini_batches import parted
from harness_torch.options import TorchOptions
from harness_torch.reference import reference_folder
from harness_torch.rows import Completion, Example
from harness_torch.terms import terms_of
from harness_torch.update import AnswerLoss, GroupLoss, StepLoss


class TorchTrainer:
    """Trains the live weights stage after stage (protocol `Trainer`)."""

    def __init__(self, options: TorchOptions | None, context: BuildContext) -> None:
        self.options = options or TorchOptions()
        self.context = context
        self.live = Live("torch", self.options, context, Learner.of)
        self._reference: Network | None = None

    def engine(self, policy: Policy) -> Engine:
        """The engine of the live weights, which `policy` becomes if it is not them already."""
        self.live.load(policy)
        return self.live.engine(policy.ref, policy.files.context_length)

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        """Run one stage (protocol `Trainer`).

        Raises:
            TrainingError: loss or gradient are not finite; the message names stage and step.
        """
        learner = self.live.load(policy)
        if stage.optimizer.reset and session.first_step == 0:
            learner.reset_optimizer()
        self.live.begin()
        backend = _Stage(self, learner, stage, policy, session)
        try:
            return self.live.end(drive(stage, policy, session, backend))
        finally:
            backend.close()

    def close(self) -> None:
        """Free the weights."""
        self._reference = None
        self.live.close()

    def reference(self) -> Network:
        """The KL term's reference model: the run's initial policy unless the options name another."""
        if self._reference is None:
            learner = self.live.weights
            assert learner is not None
            path = reference_folder(self.options.reference, self.context, learner.origin)
            self._reference = open_network(
                path,
                device=self.live.device.type,
                precision=self.live.precision,
                own_decoder=self.options.own_decoder,
            )
        return self._reference


class _Stage(Backend):
    """One stage's live weights and their updates (protocol `Backend`)."""

    def __init__(
        self, trainer: TorchTrainer, learner: Learner, stage: Stage, policy: Policy, session: Session
    ) -> None:
        self.trainer, self.learner, self.stage = trainer, learner, stage
        self.conventions, self.context_length = session.conventions, policy.files.context_length
        self.terms = terms_of(stage, session.conventions, trainer.context)
        self.terms.load(policy)
        self.loss = self._group_loss()
        self.own: Engine | None = None
        self.sampler = session.sampler(self._own)

    def generate(self, tasks: Sequence[Task], step: Step) -> Iterator[Rollout]:
        requests = [request for group in step.requests(tasks) for request in group]
        engine = self.own = self.engine(step.policy)
        return engine.rollouts(requests) if self.sampler is None else sampled(self.sampler, requests)

    def _own(self) -> Engine:
        """The live weights as the step's policy, for an engine that wraps them."""
        assert self.own is not None
        return self.own

    def close(self) -> None:
        """Let go of the engine that wraps this trainer's."""
        if self.sampler is not None:
            self.sampler.close()

    def engine(self, policy: PolicyRef) -> TransformersEngine:
        return self.trainer.live.engine(policy, self.context_length)

    def save(self, folder: Path, before: Policy) -> str:
        self.terms.save(folder, before)
        return self.learner.save(folder)

    def update(self, batch: Batch, step: Step) -> Update:
        optimizer, norm = self.stage.optimizer, 0.0
        self.terms.begin(step)
        with step.phases("prepare"):
            parts = self.loss.prepare(batch.groups, optimizer.mini_batches)
        for _ in range(optimizer.epochs):
            result = StepLoss()
            for part in parts:
                self.loss.backward(part, result, step.where, step.phases)
                if part.tokens:
                    # Without a token in the loss, moments would move the weights without a reason.
                    norm = self._descend(step)
        return Update(
            loss=result.loss,
            grad_norm=norm,
            kl=result.kl,
            entropy=result.entropy,
            extra={"trained_tokens": float(result.tokens), **self.terms.numbers()},
        )

    def fit(self, tasks: Sequence[Task], step: Step) -> Update:
        optimizer, norm = self.stage.optimizer, 0.0
        loss = AnswerLoss(
            self.learner.network, self.trainer.live.device, self.trainer.options.micro_batch_tokens
        )
        parts = parted(self._answers(tasks), optimizer.mini_batches)
        for _ in range(optimizer.epochs):
            result, right = StepLoss(), 0
            for part in parts:
                right += loss.backward(part, result, step.where, step.phases, parts=len(parts))
                norm = self._descend(step)
        return Update(
            loss=result.loss,
            grad_norm=norm,
            pass_rate=right / len(tasks),
            extra={"trained_tokens": float(result.tokens)},
        )

    def _descend(self, step: Step) -> float:
        """One optimizer step from the gradients in place; returns the gradient's norm before clipping."""
        with step.phases("optimizer"):
            return self.learner.update(self.stage.optimizer, step.rate, step.where)

    def _group_loss(self) -> GroupLoss:
        stage, trainer = self.stage, self.trainer
        return GroupLoss(
            network=self.learner.network,
            options=stage.loss,
            conventions=self.conventions,
            device=trainer.live.device,
            micro_batch_tokens=trainer.options.micro_batch_tokens,
            temperature=stage.rollout.temperature,
            reference=trainer.reference() if stage.loss.kl or self.terms.referred else None,
            terms=self.terms,
            skip_without_advantage=trainer.options.skip_without_advantage,
        )

    def _answers(self, tasks: Sequence[Task]) -> list[Example]:
        """Each task's prompt with its answer, ended by the end-of-sequence token. A mini-batch is normalised
        by an equal share of the batch, as the groups of other stages are."""
        parts = min(self.stage.optimizer.mini_batches, len(tasks))
        renderer = self.learner.renderer
        end = () if renderer.eos is None else (renderer.eos,)
        pairs = [(renderer.prompt_ids(t.prompt), renderer.text_ids(_right(t)) + end) for t in tasks]
        tokens = sum(len(ids) for _, ids in pairs)
        by_token = self.conventions.normalise == "token"
        return [
            Example(
                prompt, (Completion(ids, 0.0, 0.0, parts / (tokens if by_token else len(ids) * len(pairs))),)
            )
            for prompt, ids in pairs
        ]


def _right(task: Task) -> str:
    """A completion that is right: the solution that the source gives, else the answer itself.

    Raises:
        TrainingError: the answer is not text (tests of a program, for example) and there is no solution.
    """
    solution = task.meta.get("solution", task.answer)
    if isinstance(solution, bool) or not isinstance(solution, str | int | float):
        raise TrainingError(
            f"task {task.id!r} says how it is judged, but not what a right completion is",
            where="supervised fine-tuning",
            hint="use a source whose tasks have meta['solution']",
        )
    return str(solution)
