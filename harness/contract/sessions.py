"""What a trainer must offer, and the session that it is given: the harness as a trainer sees it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.contract.protocols import Engine, Policy, Slot
from harness.contract.records import Checkpoint, PolicyRef, Request, Rollout, StepMetrics, Task
from harness.contract.samples import Group

if TYPE_CHECKING:
    from harness.recipe import Conventions, Stage


@dataclass(frozen=True, slots=True)
class Directive:
    """What a trainer does after a step, in this order."""

    evaluate: bool = False
    checkpoint: bool = False
    #: The reason to end the stage; None to go on.
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class GroupStream:
    """Completions of whole groups as they finish, for trainers that go on with a group at once."""

    #: Yields the rollouts of complete groups, and is sent those groups of them that were kept.
    groups: Generator[Sequence[Rollout], Sequence[Group], None]


#: What a trainer makes of tasks: rollouts, at once or from an iterator, or groups if it judges itself.
Generated = Iterable[Rollout] | Sequence[Group] | GroupStream
Generate = Callable[[Sequence[Task]], Generated]


@dataclass(frozen=True, slots=True)
class Batch:
    """A step's groups, gated, rewarded and with advantages, plus what the search for them cost."""

    groups: Sequence[Group]
    discarded: int
    rollouts: int
    tokens: int


class Session(Protocol):
    """What a trainer sees of the harness, in process or over a socket.

    A step is: `next_tasks` and `submit` until enough groups are kept (or `collect`, which does both),
    an optimizer update, `finish_step`, and then what the directive says.
    """

    stage: Stage
    conventions: Conventions
    #: Name of the run's random stream, for trainers that draw without keyed requests.
    stream: str
    #: Steps of this stage already done, when it is resumed.
    first_step: int
    #: How often a step may draw again for groups that its gates discarded.
    max_refills: int

    def next_tasks(self, count: int) -> Sequence[Task]:
        """Tasks chosen by the curriculum for the current step."""
        ...

    def more_tasks(self) -> Sequence[Task]:
        """Tasks of the current step whose groups are to have more samples; none when nobody wants more."""
        ...

    def slots(self, tasks: Sequence[Task]) -> Sequence[Slot]:
        """Each task's next samples in the current step, for trainers that need no keys; in the place of
        `requests`."""
        ...

    def requests(self, tasks: Sequence[Task]) -> Sequence[Sequence[Request]]:
        """The requests of each task, G unless the curriculum says otherwise, keyed and thereby seeded for
        the current step."""
        ...

    def offer(self, rollout: Rollout) -> None:
        """Begin to judge a completion while others are still generated; `submit` takes it up. Waits if
        judging has fallen far behind."""
        ...

    def submit(self, rollouts: Sequence[Rollout]) -> Sequence[Group]:
        """Verify, reward, shape and gate complete groups; the kept ones come back with advantages."""
        ...

    def submit_outcomes(self, groups: Sequence[Group]) -> Sequence[Group]:
        """As `submit`, for trainers whose capability `simulated` says that they judge themselves: groups of
        samples with verdicts and rewards, in the order of `slots`."""
        ...

    def replayed(self, kept: Sequence[Group]) -> Sequence[Group]:
        """Groups of the store that join the kept ones, with advantages (capability `replay`)."""
        ...

    def collect(self, generate: Generate) -> Batch:
        """Draw, generate and submit until the step has its groups; refills are bounded by the gate.
        Rollouts from an iterator are judged as they come, while the others are generated.

        An empty batch ends the stage: there is nothing left to learn from. The trainer saves, if it
        has not just saved, and returns.
        """
        ...

    def exhaust(self, reason: str) -> None:
        """End the stage after the steps done so far; raises TrainingError if there were none."""
        ...

    def finish_step(self, metrics: StepMetrics) -> Directive:
        """Report a step. When it returns, the step is durable."""
        ...

    def sampler(self, own: Callable[[], Engine]) -> Engine | None:
        """The engine that samples the stage over the trainer's own (`rollout.engine`), for trainers that
        declare `engine` among their `sampling`; None if the trainer's own samples. The trainer closes it.

        Args:
            own: the trainer's own engine with the live weights, asked whenever something is generated.
        """
        ...

    def evaluate(self, engine: Engine) -> Mapping[str, float]:
        """Score the held-out tasks with the live weights.

        Returns:
            `<held-out set>/<score>`; a set that lost samples has no score and no entry.
        """
        ...

    def save(self, write: Callable[[Path], PolicyRef]) -> Checkpoint:
        """Make a durable checkpoint: `write` fills a fresh folder (`model/` in transformers' form, the
        trainer's own state beside it) and returns the policy; the session adds its state."""
        ...


class Trainer(Protocol):
    """A backend. Its registration declares `capabilities`; `plan` refuses recipes that need others."""

    def train(self, stage: Stage, policy: Policy, session: Session) -> Policy:
        """Run one stage from `policy` (a checkpoint inside the stage when it is resumed) until the
        session says stop; return the policy, saved by a last `session.save`."""
        ...

    def engine(self, policy: Policy) -> Engine | None:
        """An engine with the policy's weights, for measuring and evaluating; None if it has none."""
        ...

    def close(self) -> None: ...
