"""The trainer `torch`: on-policy GRPO, one process, one device.

A step draws groups through the session, adds up the gradient of the loss over micro-batches, and
makes one AdamW update; the session then says whether to evaluate, to checkpoint or to stop. Nothing
here is random: completions are drawn by their keys, so that weights and optimizer are all the state
there is, and a resumed stage ends with the same bits as an unbroken one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness_transformers.device import resolve_device, set_threads
from harness_transformers.engine import EngineOptions, TransformersEngine
from harness_transformers.generation import Generator
from harness_transformers.network import MODEL, Network, open_network
from harness_transformers.prompts import end_tokens

from harness.errors import TrainingError
from harness.protocols import BuildContext, Engine, LossTerm, Policy, Session
from harness.recipe import Stage
from harness.records import PolicyRef, Rollout, StepMetrics, Task
from harness_torch.learner import Learner
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
        self.device = resolve_device(self.options.device or context.resources.device)
        self.precision = self.options.precision or context.resources.precision
        self.mode = self.options.prompt or context.render
        set_threads(self.options.threads or context.resources.threads)
        self._learner: Learner | None = None
        self._policy: Policy | None = None
        self._reference: Network | None = None
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

    def engine(self, policy: Policy) -> Engine:
        """The engine of the live weights, which `policy` becomes if it is not them already."""
        learner = self._load(policy)
        return self._live(learner, policy.ref, policy.files.context_length)

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        """Run one stage (protocol `Trainer`).

        Raises:
            TrainingError: loss or gradient are not finite; the message names stage and step.
        """
        learner = self._load(policy)
        if stage.optimizer.reset and session.first_step == 0:
            learner.reset_optimizer()
        # From here on the live weights are no policy on disk, until the stage has ended well.
        self._policy = None
        self._policy = _Stage(self, learner, stage, policy, session).run()
        return self._policy

    def close(self) -> None:
        """Let go of the weights."""
        self._learner = self._policy = self._reference = None
        self._engine.close()

    def reference(self) -> Network:
        """The KL term's reference model: the run's initial policy unless the options name another."""
        if self._reference is None:
            assert self._learner is not None
            path = reference_folder(self.options.reference, self.context, self._learner.origin)
            self._reference = open_network(
                path, device=self.device.type, precision=self.precision, own_decoder=self.options.own_decoder
            )
        return self._reference

    def terms(self, stage: Stage) -> list[LossTerm]:
        """The stage's extra loss terms."""
        return [self.context.build("losses", use.name, use.options) for use in stage.loss.terms]

    def _load(self, policy: Policy) -> Learner:
        live = self._policy.ref.weights_sha if self._policy else None
        if self._learner is None or live != policy.ref.weights_sha:
            origin = self._learner.origin if self._learner else None
            self._learner = Learner.open(
                policy,
                device=self.device,
                precision=self.precision,
                prompt=self.mode,
                own_decoder=self.options.own_decoder,
                context=self.context,
            )
            if origin is not None:
                self._learner.origin = origin
        self._policy = policy
        return self._learner

    def _live(self, learner: Learner, ref: PolicyRef, context_length: int) -> TransformersEngine:
        config = getattr(learner.network.module, "generation_config", None)
        generator = Generator(
            learner.network,
            learner.renderer,
            end_tokens(learner.renderer, config),
            self.device,
            self.options.batch_rows,
            self.options.batch_tokens,
        )
        self._engine.adopt(generator, ref, context_length)
        return self._engine


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
        norm = rate = 0.0
        for _ in range(self.trainer.options.updates):
            result = self.loss.backward(where, phases)
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
            device=trainer.device,
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
        loss = AnswerLoss(self.learner.network, self.trainer.device, self.trainer.options.micro_batch_tokens)
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
        return self.trainer._live(self.learner, ref, self.policy.files.context_length)

    def _save(self, step: int) -> Policy:
        parent = Path()

        def write(folder: Path) -> PolicyRef:
            nonlocal parent
            parent = folder.parent
            sha = self.learner.save(folder)
            return PolicyRef(weights_sha=sha, stage=self.stage.name, step=step)

        checkpoint = self.session.save(write)
        folder = parent / Path(checkpoint.path).name
        files = replace(self.policy.files, path=folder / MODEL, weights_sha=checkpoint.policy.weights_sha)
        return Policy(checkpoint.policy, files, folder)


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
