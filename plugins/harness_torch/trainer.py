"""The trainer `torch`: on-policy GRPO, one process, one device.

A step draws groups through the session, adds up the gradient of the loss over micro-batches, and
makes one AdamW update; the session then says whether to evaluate, to checkpoint or to stop. Nothing
here is random: completions are drawn by their keys, so that weights and optimizer are all the state
there is, and a resumed stage ends with the same bits as an unbroken one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness_transformers.engine import TransformersEngine
from harness_transformers.network import Network, open_network
from harness_transformers.saving import save

from harness.errors import TrainingError
from harness.protocols import BuildContext, Engine, LossTerm, Policy, Session
from harness.recipe import Stage
from harness.records import PolicyRef, Rollout, StepMetrics, Task
from harness_torch.learner import Learner
from harness_torch.live import Live
from harness_torch.metrics import Phases, group_metrics
from harness_torch.options import TorchOptions
from harness_torch.reference import reference_folder
from harness_torch.rows import Completion, Example
from harness_torch.update import AnswerLoss, GroupLoss


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
        return self.live.end(_Stage(self, learner, stage, policy, session).run())

    def close(self) -> None:
        """Let go of the weights."""
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

    def terms(self, stage: Stage) -> list[LossTerm]:
        """The stage's extra loss terms."""
        return [self.context.build("losses", use.name, use.options) for use in stage.loss.terms]


class _Stage:
    """One stage on its way."""

    def __init__(
        self, trainer: TorchTrainer, learner: Learner, stage: Stage, policy: Policy, session: Session
    ) -> None:
        self.trainer, self.learner, self.stage, self.session = trainer, learner, stage, session
        self.policy = policy
        self.where = f"stage {stage.name!r}"
        self.loss = self._group_loss()

    def run(self) -> Policy:
        step = self.session.first_step + 1
        take_step = {"rl": self._reinforce, "sft": self._fit_answers}.get(self.stage.kind)
        if take_step is None:
            raise TrainingError(
                f"cannot train a stage of kind {self.stage.kind!r}", where=self.where, allowed="rl, sft"
            )
        saved = self.session.first_step
        while True:
            metrics = take_step(step)
            if metrics is None:
                return self.policy if saved == step - 1 else self._save(step - 1)
            directive = self.session.finish_step(metrics)
            if directive.evaluate:
                self.session.evaluate(self._engine(step))
            if directive.checkpoint or directive.stop:
                self.policy, saved = self._save(step), step
            if directive.stop:
                return self.policy
            step += 1

    def _reinforce(self, step: int) -> StepMetrics | None:
        phases, where = Phases(), f"{self.where}, step {step}"

        def generate(tasks: Sequence[Task]) -> Iterator[Rollout]:
            """One by one: each is judged while the next ones are generated."""
            with phases("generate"):
                yield from self._generate(tasks, step)

        batch = self.session.collect(generate)
        if not batch.groups:
            return None
        self.loss.prepare(batch.groups)
        norm, rate = 0.0, self.stage.optimizer.rate(step)
        for _ in range(self.trainer.options.updates):
            result = self.loss.backward(where, phases)
            if self.loss.empty:
                # Moments would move the weights without a reason.
                continue
            with phases("optimizer"):
                norm, rate = self.learner.update(self.stage.optimizer, step, where)
        plain = group_metrics(self.stage.name, step, batch)
        return replace(
            plain,
            loss=result.loss,
            grad_norm=norm,
            kl=result.kl,
            entropy=result.entropy,
            learning_rate=rate,
            cpu_seconds=phases.cpu_seconds,
            seconds=phases.seconds,
            extra={"trained_tokens": float(result.tokens), **phases.fields()},
        )

    def _generate(self, tasks: Sequence[Task], step: int) -> Iterator[Rollout]:
        requests = [request for group in self.session.requests(tasks) for request in group]
        return self._engine(step - 1).rollouts(requests)

    def _group_loss(self) -> GroupLoss:
        stage, trainer = self.stage, self.trainer
        terms = trainer.terms(stage)
        needs_reference = stage.loss.kl or any("ref_logprobs" in term.inputs for term in terms)
        return GroupLoss(
            network=self.learner.network,
            options=stage.loss,
            conventions=self.session.conventions,
            device=trainer.live.device,
            micro_batch_tokens=trainer.options.micro_batch_tokens,
            temperature=stage.rollout.temperature,
            reference=trainer.reference() if needs_reference else None,
            terms=terms,
            skip_without_advantage=trainer.options.skip_without_advantage,
        )

    def _fit_answers(self, step: int) -> StepMetrics:
        phases, where = Phases(), f"{self.where}, step {step}"
        tasks = self.session.next_tasks(self.stage.rollout.batch)
        if not tasks:
            raise TrainingError("the session has no more tasks", where=where)
        loss = AnswerLoss(
            self.learner.network, self.trainer.live.device, self.trainer.options.micro_batch_tokens
        )
        result, right = loss.backward(self._answers(tasks), where, phases)
        with phases("optimizer"):
            norm, rate = self.learner.update(self.stage.optimizer, step, where)
        return StepMetrics(
            stage=self.stage.name,
            step=step,
            rollouts=0,
            tokens=0,
            reward_mean=0.0,
            reward_sd=0.0,
            # Nothing was sampled: the share that greedy decoding would get right.
            pass_rate=right,
            zero_variance_groups=0.0,
            truncated=0.0,
            loss=result.loss,
            grad_norm=norm,
            learning_rate=rate,
            cpu_seconds=phases.cpu_seconds,
            seconds=phases.seconds,
            extra={"trained_tokens": float(result.tokens), **phases.fields()},
        )

    def _answers(self, tasks: Sequence[Task]) -> list[Example]:
        """Each task's prompt with its answer, ended by the end-of-sequence token."""
        renderer = self.learner.renderer
        end = () if renderer.eos is None else (renderer.eos,)
        pairs = [(renderer.prompt_ids(t.prompt), renderer.text_ids(_right(t)) + end) for t in tasks]
        tokens = sum(len(ids) for _, ids in pairs)
        by_token = self.session.conventions.normalise == "token"
        return [
            Example(prompt, (Completion(ids, 0.0, 0.0, 1 / (tokens if by_token else len(ids) * len(pairs))),))
            for prompt, ids in pairs
        ]

    def _engine(self, steps_done: int) -> TransformersEngine:
        """The live weights' engine. Weights inside a stage have a name but no hash: they are not on disk."""
        known = steps_done == self.policy.ref.step and self.policy.ref.stage == self.stage.name
        ref = (
            self.policy.ref
            if known or steps_done == 0
            else PolicyRef(weights_sha="", stage=self.stage.name, step=steps_done)
        )
        return self.trainer.live.engine(ref, self.policy.files.context_length)

    def _save(self, step: int) -> Policy:
        return save(self.session, self.policy, self.stage.name, step, self.learner.save)


def _right(task: Task) -> str:
    """A completion that is right: the solution that the source gives, else the answer itself.

    Raises:
        TrainingError: the answer is no text (tests of a program, for one) and there is no solution.
    """
    solution = task.meta.get("solution", task.answer)
    if isinstance(solution, bool) or not isinstance(solution, str | int | float):
        raise TrainingError(
            f"task {task.id!r} says how it is judged, but not what a right completion is",
            where="supervised fine-tuning",
            hint="use a source whose tasks have meta['solution']",
        )
    return str(solution)
