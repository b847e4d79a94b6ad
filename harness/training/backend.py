"""What a trainer brings to the loop of a stage: `generate`, `update`, `save` and `engine`.

The loop itself is `harness.training.drive`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.contract.errors import TrainingError
from harness.contract.protocols import Engine, Policy
from harness.contract.records import PolicyRef, Request, Task
from harness.contract.sessions import Batch, Generated, Session
from harness.recipe import Stage
from harness.training.phases import Phases


@dataclass(frozen=True, slots=True)
class Step:
    """A step under way. Steps of a stage count from 1."""

    stage: Stage
    session: Session
    number: int
    #: The live weights that generate in it, which are those after the step before.
    policy: PolicyRef
    #: Charges CPU time to a phase: `with step.phases("backward"): ...`.
    phases: Phases

    @property
    def where(self) -> str:
        """Stage and step, for errors."""
        return f"stage {self.stage.name!r}, step {self.number}"

    @property
    def rate(self) -> float:
        """The optimizer's learning rate in this step, warm-up included."""
        return self.stage.optimizer.rate(self.number)

    def requests(self, tasks: Sequence[Task]) -> Sequence[Sequence[Request]]:
        """The requests of each task's group. A task that is asked for again gets further samples."""
        return self.session.requests(tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """The numbers of an update; the fields are those of `StepMetrics`."""

    loss: float | None = None
    #: Before clipping.
    grad_norm: float | None = None
    #: Means per token, in nats.
    kl: float | None = None
    entropy: float | None = None
    #: None if it was `step.rate`.
    learning_rate: float | None = None
    #: In supervised fine-tuning, the share of answers that greedy decoding would give.
    pass_rate: float = 0.0
    #: Further numbers, by name.
    extra: Mapping[str, float] = field(default_factory=dict)


class Weights(Protocol):
    """The live weights of a stage. Its loop may stand elsewhere (see `harness.training.drive.Drive`)."""

    def generate(self, tasks: Sequence[Task], step: Step) -> Generated:
        """Completions of the tasks by the live weights; each is judged while the next ones are generated
        if they come from an iterator."""
        ...

    def engine(self, policy: PolicyRef) -> Engine:
        """The live weights as an engine, under this name."""
        ...

    def save(self, folder: Path, before: Policy) -> str:
        """Write `model/` and the trainer's own state into a fresh folder.

        Args:
            before: the last policy on disk; what training does not change may be copied from it.

        Returns:
            The hash of the weights.
        """
        ...


class Backend(Weights, Protocol):
    """What `harness.training.drive.drive` asks of a trainer. Subclass it to inherit the refusals."""

    def update(self, batch: Batch, step: Step) -> Update:
        """Learn from the step's groups.

        Raises:
            TrainingError: loss or gradient are not finite.
        """
        raise refusal(step.stage)

    def fit(self, tasks: Sequence[Task], step: Step) -> Update:
        """Learn the tasks' answers: a step of supervised fine-tuning (stages of kind `sft`)."""
        raise refusal(step.stage)


def refusal(stage: Stage) -> TrainingError:
    """The error of a stage whose kind a trainer does not train."""
    return TrainingError(f"cannot train a stage of kind {stage.kind!r}", where=f"stage {stage.name!r}")
