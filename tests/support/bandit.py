"""A trainer of somebody else's, from the public interface alone: a bandit whose arms are answers.

Its policy is one vector of logits, whatever is asked; momentum is the state of its optimizer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.contract.errors import DataError, EngineError
from harness.contract.hookspecs import hookimpl
from harness.contract.protocols import BuildContext, ModelFiles, Policy
from harness.contract.records import PolicyRef, Request, Rollout, Task, digest
from harness.contract.sessions import Batch, Session
from harness.plugging.plugins import Register
from harness.recipe import Stage
from harness.training.backend import Backend, Step, Update
from harness.training.drive import drive

ANSWERS = "12"
Floats = npt.NDArray[np.float64]


@hookimpl
def register_trainers(register: Register) -> None:
    able = {
        "kinds": ["rl"],
        "dynamic_sampling": True,
        "in_stage_evaluation": True,
        "resume": True,
        "engine": True,
        "transformers_checkpoint": False,
    }
    register("bandit", f"{__name__}:BanditTrainer", capabilities=able)
    register("boaster", f"{__name__}:BanditTrainer", capabilities=able | {"kinds": ["rl", "sft"]})


@hookimpl
def register_models(register: Register) -> None:
    register("bandit", f"{__name__}:Logits", capabilities={"local": True})


class Bandit:
    """The policy and its optimizer."""

    def __init__(self, logits: Floats, momentum: Floats) -> None:
        self.logits, self.momentum = logits, momentum

    @property
    def shares(self) -> Floats:
        weights = np.exp(self.logits - self.logits.max())
        return np.asarray(weights / weights.sum())

    @property
    def sha(self) -> str:
        return digest(self.logits.tolist())

    def write(self, folder: Path) -> str:
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "bandit.npy", np.stack([self.momentum, self.logits]))
        return self.sha

    @classmethod
    def of(cls, policy: Policy) -> Bandit:
        """The policy's weights; raises DataError if a checkpoint's have changed."""
        momentum, logits = np.load(policy.files.path / "bandit.npy")
        bandit = cls(logits, momentum)
        if policy.checkpoint is not None and bandit.sha != policy.ref.weights_sha:
            raise DataError(
                "the checkpoint's weights have changed",
                where=str(policy.files.path), hint="restore the folder, or start a new run",
            )  # fmt: skip
        return bandit


class Logits:
    """All arms alike (protocol `ModelLoader`)."""

    def __init__(self, options: None, context: BuildContext) -> None:
        self.folder = context.cache / "bandit"

    def load(self) -> ModelFiles:
        start = np.zeros(len(ANSWERS))
        return ModelFiles(self.folder, Bandit(start, start).write(self.folder), 64, chat=False)


class BanditEngine:
    """Protocol `Engine`."""

    def __init__(self, bandit: Bandit, policy: PolicyRef, room: int) -> None:
        self.bandit, self.policy, self.room = bandit, policy, room

    def prompt_tokens(self, request: Request) -> int:
        return sum(len(message.content) for message in request.prompt)

    def sync_weights(self, policy: Policy) -> None:
        self.bandit, self.policy = Bandit.of(policy), policy.ref

    def answers(self, requests: Sequence[Request]) -> Iterator[Rollout]:
        for request in requests:
            if self.prompt_tokens(request) + request.sampling.max_tokens > self.room:
                raise EngineError(f"prompt and completion exceed the context of {self.room} tokens")
            rng = np.random.default_rng(request.key.seed)
            arm = int(rng.choice(len(ANSWERS), p=self.bandit.shares))
            yield Rollout(
                key=request.key,
                prompt_ids=tuple(range(self.prompt_tokens(request))),
                completion_ids=(arm,),
                text=ANSWERS[arm],
                finish="stop",
                policy=self.policy,
                sampling=request.sampling,
            )

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        for rollout in self.answers(requests):
            yield rollout

    def close(self) -> None:
        """Nothing to release."""


class BanditTrainer:
    """Protocol `Trainer`."""

    def __init__(self, options: None, context: BuildContext) -> None:
        """It has no options."""

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        bandit = Bandit.of(policy)
        if stage.optimizer.reset and not session.first_step:
            bandit.momentum = np.zeros_like(bandit.logits)
        return drive(stage, policy, session, Pull(bandit, stage, policy.files.context_length))

    def engine(self, policy: Policy) -> BanditEngine:
        return BanditEngine(Bandit.of(policy), policy.ref, policy.files.context_length)

    def close(self) -> None:
        """Nothing to release."""


class Pull(Backend):
    """What the loop of a stage asks."""

    def __init__(self, bandit: Bandit, stage: Stage, room: int) -> None:
        self.bandit, self.stage, self.room = bandit, stage, room

    def generate(self, tasks: Sequence[Task], step: Step) -> Iterator[Rollout]:
        requests = [request for group in step.requests(tasks) for request in group]
        return self.engine(step.policy).answers(requests)

    def update(self, batch: Batch, step: Step) -> Update:
        """REINFORCE (Williams 1992) with momentum."""
        gradient, counted = np.zeros_like(self.bandit.logits), 0
        for group in batch.groups:
            for rollout, reward, advantage in zip(
                group.rollouts or (), group.rewards, group.advantages, strict=True
            ):
                if reward is not None:
                    gradient += advantage * (
                        np.eye(len(ANSWERS))[rollout.completion_ids[0]] - self.bandit.shares
                    )
                    counted += 1
        if not counted:
            return Update(loss=0.0, grad_norm=0.0)
        gradient /= counted
        self.bandit.momentum = self.stage.optimizer.betas[0] * self.bandit.momentum + gradient
        self.bandit.logits = self.bandit.logits + step.rate * self.bandit.momentum
        return Update(loss=0.0, grad_norm=float(np.linalg.norm(gradient)))

    def engine(self, policy: PolicyRef) -> BanditEngine:
        return BanditEngine(self.bandit, policy, self.room)

    def save(self, folder: Path, before: Policy) -> str:
        return self.bandit.write(folder / "model")
