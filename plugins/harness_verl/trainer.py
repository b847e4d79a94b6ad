"""The trainer `verl`: verl does the work in a job of its own, one command of the loop at a time.

A Ray job does one stage after the other. The driver keeps what all trainers share: it draws tasks, renders
prompts, judges completions as groups finish, computes advantages and decides; verl generates, updates and
writes checkpoints when it is told to. So the curriculum decides at every step, and a stage ends when its rule
says so.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from time import process_time
from types import SimpleNamespace
from typing import Any

from harness_transformers.lora import ADAPTER
from harness_transformers.prompts import Renderer, end_tokens

from harness.contract import (
    Batch,
    BuildContext,
    Engine,
    Group,
    GroupStream,
    Policy,
    PolicyRef,
    Request,
    Rollout,
    Session,
    Task,
    TrainingError,
)
from harness.recipe import Conventions, Stage
from harness.training import Backend, Step, Update
from harness.training.drive import drive
from harness_verl import checkpoint, job, lora
from harness_verl.hub import Arrival, Hub
from harness_verl.live import LiveEngine, rollouts
from harness_verl.options import VerlOptions
from harness_verl.reach import interface
from harness_verl.spec import device_of, python_of, specification
from harness_verl.standing import StandingJob, closing_on_failure
from harness_verl.start import Start, start_of


class VerlTrainer:
    """Trains stages under verl (protocol `Trainer`)."""

    def __init__(self, options: VerlOptions | None, context: BuildContext) -> None:
        """Raises RecipeError if the interpreter is not there, or has no verl."""
        self.options = options or VerlOptions()
        self.context = context
        self.device = device_of(context.resources.device)
        self.python = python_of(self.options, context)
        job.require(self.python, "trainer 'verl'")
        self._engine: Engine | None = None
        #: The job of the last stage, if it waits for another one.
        self._job: StandingJob | None = None

    def engine(self, policy: Policy) -> Engine:
        """For measuring and evaluating between stages: the job's own rollout servers, if it waits with this
        policy's weights, or else an engine of its own."""
        if self.options.engine is None and self._job is not None:
            if self._job.holds(policy):
                return self._job.engine(policy.ref)
            self._end_job()
        if self._engine is None:
            use = self.options.engine
            if use is not None:
                self._engine = self.context.build("engines", use.name, use.options)
            elif self.device == "cpu":
                self._engine = self.context.build("engines", "transformers", {})
            else:
                self._engine = self.context.build("engines", "vllm", {"python": self.python})
        assert self._engine is not None
        self._engine.sync_weights(policy)
        return self._engine

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        """Run one stage (protocol `Trainer`).

        Raises:
            RecipeError: verl refuses the configuration, or an override collides with the recipe.
            TrainingError: the job died or stalled, lost samples, or exported no usable weights.
        """
        if self._engine is not None:
            # Its memory is the job's now.
            self._engine.close()
            self._engine = None
        run = _Stage(self, stage, policy, session)
        trained = run.run()
        run.standing.rest(trained)
        self._job = run.standing
        keep = self.options.keep_job
        if not (self.options.engine is None if keep is None else keep):
            self._end_job()
        return trained

    def take_job(self) -> StandingJob | None:
        """The job that waits for another stage; it is the caller's to end from now on."""
        standing, self._job = self._job, None
        return standing

    def dry_run(self, stage: Stage, conventions: Conventions, context_length: int) -> Mapping[str, Any]:
        """verl's complete configuration of a stage, validated by verl itself; nothing is started and no
        model is opened.

        Raises:
            RecipeError: an override collides with the recipe, or verl refuses the configuration.
        """
        where = f"trainer 'verl', stage {stage.name!r}"
        start = Start(Path(self.context.model), context_length)
        folder = Path("/tmp/dry-run")
        spec, variables = specification(self.options, self.context, stage, conventions, start, folder, where)
        return job.check(self.python, spec, variables, where)

    def close(self) -> None:
        """
        Raises:
            TrainingError: the job that waited did not end well.
        """
        if self._engine is not None:
            self._engine.close()
        self._end_job()

    def _end_job(self) -> None:
        if (standing := self.take_job()) is not None:
            standing.end()


class _Stage(Backend):
    """One stage in a job (protocol `Backend`)."""

    def __init__(self, trainer: VerlTrainer, stage: Stage, policy: Policy, session: Session) -> None:
        self.trainer, self.stage, self.policy, self.session = trainer, stage, policy, session
        #: The step under way, and the last one that made an update.
        self._step, self._updated = 0, session.first_step
        self.where = f"trainer 'verl', stage {stage.name!r}"
        #: This step's groups by their name at verl: where the samples of a task begin.
        self._names: dict[tuple[str, int], str] = {}
        self.start = start_of(stage, policy, trainer.context, session.first_step, self.where)
        self.standing = self._go_on() or self._begin()
        self.job, self.hub, self.renderer = self.standing.job, self.standing.hub, self.standing.renderer

    def run(self) -> Policy:
        with closing_on_failure(self.job, self.hub):
            return drive(self.stage, self.policy, self.session, self, clock=self._cpu)

    def _cpu(self) -> float:
        return process_time() + self.job.cpu_seconds()

    # What the loop asks ---------------------------------------------------------------------------

    def generate(self, tasks: Sequence[Task], step: Step) -> GroupStream:
        if self._step != step.number:
            self._step = step.number
            self._names.clear()
        return GroupStream(self._groups(tasks, step))

    def _groups(
        self, tasks: Sequence[Task], step: Step
    ) -> Generator[Sequence[Rollout], Sequence[Group], None]:
        """Groups as verl finishes them; what was kept goes back to its reward workers."""
        asked: dict[str, Sequence[Request]] = {}
        rows = []
        for requests in step.requests(tasks):
            uid = f"{self.stage.name.encode().hex()}x{next(self.standing.numbers)}"
            asked[uid] = requests
            self._names[requests[0].key.task, requests[0].key.sample] = uid
            rows.append(self._row(uid, requests))
        self.hub.command("generate", rows=rows)
        sizes = {uid: len(requests) for uid, requests in asked.items()}
        for complete in self.job.groups(sizes):
            made = {
                uid: self._rollouts(asked[uid], answers, step.policy) for uid, answers in complete.items()
            }
            kept = yield [rollout for group in made.values() for rollout in group]
            by_key = {group.rollouts[0].key: group for group in kept if group.rollouts}
            for uid, group in made.items():
                self.hub.settle(uid, _outcomes(by_key.get(group[0].key), len(group)))
        counts = self.job.result()
        lost = {uid: sizes[uid] - count for uid, count in counts.items() if count != sizes[uid]}
        if lost:
            raise TrainingError(
                f"verl lost {sum(lost.values())} samples of {len(lost)} groups after they were judged",
                where=self.where,
            )

    def update(self, batch: Batch, step: Step) -> Update:
        groups = {}
        for group in batch.groups:
            assert group.rollouts is not None
            key = group.rollouts[0].key
            groups[self._names[key.task, key.sample]] = {
                "advantages": [s.advantage if s.credit is None else s.credit for s in group.samples],
                "masked": self._masked(group),
            }  # fmt: skip
        given = [rollout for group in batch.groups for rollout in group.rollouts or ()]
        if all(rollout.finish == "abort" for rollout in given):
            # Nobody would take the new weights.
            raise TrainingError(
                f"verl answered none of the step's {batch.rollouts} requests: {given[0].reason}",
                where=f"{self.where}, step {step.number}",
                hint=f"the job's log is {self.job.log}",
            )
        said: Mapping[str, float | str] = self.job.call("update", groups=groups, rate=step.rate)
        self._updated = step.number
        # What is not finite comes as text, for the session to refuse by name.
        numbers = {name: float(value) for name, value in said.items()}
        missing = [name for name in ("actor/loss", "actor/grad_norm") if name not in numbers]
        if missing:
            raise TrainingError(f"verl reported no {missing[0]}", where=f"{self.where}, step {step.number}")
        return Update(
            loss=numbers["actor/loss"],
            grad_norm=numbers["actor/grad_norm"],
            kl=numbers.get("actor/kl_loss"),
            entropy=numbers.get("actor/entropy"),
            extra={f"verl/{name}": value for name, value in numbers.items() if _worth_keeping(name)},
        )

    def _masked(self, group: Group) -> list[bool]:
        cut = group.truncated if self.stage.loss.mask_truncated else (False,) * group.size
        return [reward is None or out for reward, out in zip(group.rewards, cut, strict=True)]

    def save(self, folder: Path, before: Policy) -> str:
        self.job.call("save", folder=str((folder / checkpoint.VERL).resolve()))
        if self.start.adapter is None:
            return checkpoint.adopt(folder, before, self._updated, where=self.where)
        # The newest checkpoint is never pruned while it is that.
        adapter = self.start.adapter if before.checkpoint is None else before.checkpoint / ADAPTER
        return lora.adopt(
            folder, before, self._updated, base=self.start.model, before=adapter, where=self.where
        )

    def engine(self, policy: PolicyRef) -> LiveEngine:
        return self.standing.engine(policy)

    # Rows and rollouts ----------------------------------------------------------------------------

    def _row(self, uid: str, requests: Sequence[Request]) -> dict[str, Any]:
        prompt = requests[0].prompt
        fitting = self.renderer.fitting(requests, self.start.context_length)
        return {
            "uid": uid,
            "task": requests[0].key.task,
            "messages": [{"role": m.role, "content": m.content} for m in prompt],
            "prompt_ids": fitting[prompt],
            "seeds": [request.key.seed for request in requests],
            "max_tokens": requests[0].sampling.max_tokens,
        }

    def _rollouts(
        self, requests: Sequence[Request], completions: Sequence[Arrival], policy: PolicyRef
    ) -> list[Rollout]:
        return rollouts(requests, completions, self.renderer, self.standing.ends, policy)

    # The job --------------------------------------------------------------------------------------

    def _go_on(self) -> StandingJob | None:
        """The run's job with this stage for its next one; None if there is no job, or it cannot go on."""
        standing = self.trainer.take_job()
        if standing is None:
            return None
        if standing.holds(self.policy) and not self.session.first_step:
            with closing_on_failure(standing.job, standing.hub):
                spec, _ = self._specification(standing.job.folder, standing.hub)
                fixed = standing.take(spec, self.session, self.where, reset=self.stage.optimizer.reset)
            if not fixed:
                return standing
        standing.hub.session = self.session  # type: ignore[assignment]
        standing.end()
        return None

    def _begin(self) -> StandingJob:
        """A new job; returns when it asks for its first command."""
        options, nodes = self.trainer.options, self.trainer.context.resources.nodes
        bound, reached = interface(options.listen, options.ray_address, nodes, self.where)
        hub = Hub(self.session, f"tcp:{bound}:0", reached=reached)  # type: ignore[arg-type]
        try:
            job = self._start(hub)
        except BaseException:
            hub.close()
            raise
        with closing_on_failure(job, hub):
            # While verl starts: the first tokenizer of a process brings seconds of imports.
            path = self.policy.files.path
            renderer = Renderer.open(path, self.trainer.context.render)
            ends = end_tokens(renderer, _generation_config(path))
            started, first_step = job.start(), self.session.first_step
            if started["step"] != first_step:
                raise TrainingError(
                    f"verl begins after step {started['step']}, the session after {first_step}",
                    where=self.where,
                )
        return StandingJob(hub, job, renderer, ends, self.start.context_length)

    def _start(self, hub: Hub) -> job.RayJob:
        trainer, folder = self.trainer, job.place()
        try:
            spec, variables = self._specification(folder, hub)
            logs, stall = trainer.context.cache / "verl-logs", trainer.context.resources.stall_seconds
            return job.RayJob(
                trainer.python, folder, logs, spec, variables, hub, trainer.options, stall, self.where
            )
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _specification(self, folder: Path, hub: Hub) -> tuple[dict[str, Any], dict[str, str]]:
        """The stage's for a job in that folder, whose processes find the hub."""
        options, context, conventions = self.trainer.options, self.trainer.context, self.session.conventions
        spec, variables = specification(
            options, context, self.stage, conventions, self.start, folder, self.where
        )
        reach = {"HARNESS_VERL_ADDRESS": hub.address, "HARNESS_VERL_TOKEN": hub.token}
        # On a cluster PYTHONPATH is not among them: packages travel with the job.
        spec["settings"]["ray_kwargs.ray_init.runtime_env"]["env_vars"] |= reach
        return spec, variables | reach


def _outcomes(kept: Group | None, size: int) -> list[dict[str, Any]]:
    """The answers to reward workers about a group's samples; those of a discarded group count for nothing."""
    if kept is None:
        return [{"reward": None, "status": "discarded", "score": None}] * size
    judged = zip(kept.rewards, kept.statuses, kept.scores, strict=True)
    return [{"reward": reward, "status": status, "score": score} for reward, status, score in judged]


def _worth_keeping(name: str) -> bool:
    return name.startswith(("timing_s/", "actor/", "training/rollout", "perf/throughput", "rollout_corr/"))


def _generation_config(folder: Path) -> Any:
    file = folder / "generation_config.json"
    values = json.loads(file.read_text()) if file.exists() else {}
    return SimpleNamespace(eos_token_id=values.get("eos_token_id"))
