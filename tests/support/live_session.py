"""A real session in a folder, for tests of trainers: ledger, checkpoints, chains and their verifier."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness_rewards.rewards import AllPass
from harness_tasks.chain import ArithmeticChain, ChainOptions

from harness.contract.protocols import (
    BuildContext,
    CurriculumContext,
    Engine,
    Gate,
    Reward,
    RunInfo,
    Shaper,
    TaskSource,
)
from harness.contract.records import PolicyRef, Request, Rollout, RolloutKey, Sampling, StepMetrics, Task
from harness.contract.samples import Group
from harness.plugging.events import Events
from harness.plugging.loading import new_manager
from harness.recipe import Budget, Conventions, Resources, Stage, Use
from harness.recording.checkpoints import CheckpointStore
from harness.recording.ledger import Ledger, read
from harness.recording.spending import Spent
from harness.scoring import Scorer, VerifierSpec
from harness.tasks.pool import TaskPool
from harness.training.judging import StageParts
from harness.training.session import RunParts, StageSession


def no_build(kind: str, name: str, options: Mapping[str, Any]) -> Any:
    raise AssertionError(f"nothing should build {kind} {name!r}")


def context(cache: Path, *, seed: int = 0, **changes: Any) -> BuildContext:
    """A build context on one CPU thread, prompts raw."""
    values: dict[str, Any] = {
        "seed": seed, "cache": cache, "data": None, "build": no_build,
        "resources": Resources(device="cpu", threads=1), "render": "raw",
    }  # fmt: skip
    return BuildContext(**{**values, **changes})


class RoundRobin:
    """One subject after another, by weights where they are given."""

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self.weights = weights
        self.drawn = 0

    def next(self, k: int, context: CurriculumContext) -> Sequence[Task]:
        subjects = list(context.pool.subjects)
        if self.weights is not None:
            shares = [self.weights[s] for s in subjects]
            picks = context.rng.choice(len(subjects), size=k, p=[s / sum(shares) for s in shares])
            return [context.pool.draw(subjects[i]) for i in picks]
        tasks = [context.pool.draw(subjects[(self.drawn + i) % len(subjects)]) for i in range(k)]
        self.drawn += k
        return tasks

    def observe(self, group: Group) -> None: ...

    def finished(self, history: Sequence[StepMetrics]) -> str | None:
        return None

    def state_dict(self) -> dict[str, Any]:
        return {"drawn": self.drawn}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.drawn = int(state["drawn"])


@dataclass
class LiveRun:
    """A run's folder with all that its sessions share."""

    folder: Path
    strata: str = "1-3"
    seed: int = 0
    budget: Budget = field(default_factory=Budget)
    checkpoint_every: int = 1000
    evaluate_every: int | None = None
    keep: int = 2
    #: Where its tasks come from instead of chains.
    source: TaskSource | None = None
    #: (step, mean pass rate) of evaluations inside stages.
    evaluations: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        spec = VerifierSpec(
            name="exact",
            target="harness_exact.exact:Exact",
            options_model="harness_exact.exact:ExactOptions",
            in_process=True,
        )
        self.scorer = Scorer({"exact": spec})
        self.heldout = ArithmeticChain(
            ChainOptions.model_validate({"strata": self.strata, "split": "heldout"}), context(self.folder)
        )

    def session(
        self,
        stage: Stage,
        *,
        conventions: Conventions | None = None,
        curriculum: Any = None,
        gates: Sequence[Gate] = (),
        shapers: Sequence[Shaper] = (),
        reward: Reward | None = None,
        metrics: Mapping[str, Reward] | None = None,
        resume: str | None = None,
    ) -> StageSession:
        """A session of one stage; `resume` is a checkpoint's path in the run's folder."""
        source = self.source or ArithmeticChain(
            ChainOptions.model_validate({"strata": self.strata}), context(self.folder, seed=self.seed)
        )
        pool = TaskPool([source])
        # Named as the recipe would name them: errors of the border say whose fault it is.
        uses = {
            "gates": tuple(Use(name=type(gate).__name__) for gate in gates),
            "shapers": tuple(Use(name=type(shaper).__name__) for shaper in shapers),
        }
        stage = stage.model_copy(update=uses)
        store = CheckpointStore(self.folder, keep=self.keep, min_free_gb=0.01)
        self.ledger = Ledger(self.folder / "ledger.jsonl")
        run = RunParts(
            info=RunInfo(self.folder, "test", "main", self.seed),
            ledger=self.ledger,
            events=Events(new_manager()),
            scorer=self.scorer,
            pool=pool,
            spent=Spent(),
            budget=self.budget,
            checkpoints=store,
            checkpoint_every=self.checkpoint_every,
            evaluate_every=self.evaluate_every,
            detail="sample",
            reuse=0.0,
            evaluate=self._evaluate,
            evaluation_requests=lambda name, stage, step: (),
            sampler=lambda stage, own: None,
        )
        parts = StageParts(
            curriculum or RoundRobin(), reward or AllPass(None, context(self.folder)), gates, shapers, metrics
        )
        session = StageSession(run, stage, conventions or Conventions(), parts, pool.subjects, {})
        if resume is not None:
            session.load_state_dict(store.session_state(resume))
        return session

    def lines(self) -> list[dict[str, Any]]:
        return list(read(self.folder / "ledger.jsonl"))

    def _evaluate(self, name: str, stage: str, step: int, engine: Engine) -> Mapping[str, float]:
        rates = self.pass_rates(engine, per_stratum=4)
        mean = sum(rates.values()) / len(rates)
        self.evaluations.append((step, mean))
        return {"pass@1": mean}

    def pass_rates(
        self, engine: Engine, *, per_stratum: int, samples: int = 1, temperature: float = 1.0
    ) -> dict[str, float]:
        """Pass rates on held-out chains by stratum."""
        tasks, requests = {}, []
        for subject in self.heldout.subjects():
            sampling = Sampling(temperature=temperature, max_tokens=int(subject) + 4)
            for index in range(per_stratum):
                task = self.heldout.draw(subject, index)
                tasks[task.id] = task
                requests += [
                    Request(RolloutKey("test", "eval", "", 0, task.id, s), task.prompt, sampling)
                    for s in range(samples)
                ]
        rollouts = gather(engine, requests)
        verdicts = self.scorer.score_many([(tasks[r.key.task], r) for r in rollouts])
        passes = dict.fromkeys(self.heldout.subjects(), 0)
        for rollout, verdict in zip(rollouts, verdicts, strict=True):
            passes[tasks[rollout.key.task].subject] += verdict.status == "pass"
        return {s: n / (per_stratum * samples) for s, n in passes.items()}


def gather(engine: Engine, requests: Sequence[Request]) -> list[Rollout]:
    """All rollouts of an engine, through its asynchronous interface."""

    async def run() -> list[Rollout]:
        return [rollout async for rollout in engine.generate(requests)]

    return asyncio.run(run())


#: Whether a sample of a task, by its number, is right.
Right = Callable[[Task, int], bool]


def answering(session: StageSession, right: Right) -> Callable[[Sequence[Task]], list[Rollout]]:
    """A policy whose sample `i` of a task in this step is right if `right(task, i)`."""

    def generate(tasks: Sequence[Task]) -> list[Rollout]:
        return [
            Rollout(
                key=request.key,
                prompt_ids=(1,),
                completion_ids=(1, 2),
                text=str(task.answer) if right(task, request.key.sample) else "?",
                finish="stop",
                policy=PolicyRef(weights_sha="w", stage="s", step=request.key.step - 1),
                sampling=Sampling(),
                logprobs=(-0.5, -0.25),
            )
            for task, requests in zip(tasks, session.requests(tasks), strict=True)
            for request in requests
        ]

    return generate
