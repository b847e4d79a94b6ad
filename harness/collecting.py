"""Filling a step's batch with groups that its gates keep: dynamic sampling with a bound.

DAPO (arXiv 2503.14476) draws until the batch is full, which never ends where nothing can pass. Here
the refills are bounded, and a step without a single kept group ends the stage and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import cast

from harness.protocols import Batch, Session
from harness.records import Group, Rollout, Task

#: Yields the rollouts of complete groups as they finish, and is sent those of the groups that were kept:
#: judging then goes on beside generating.
Stream = Generator[Sequence[Rollout], Sequence[Group], None]
#: From tasks to rollouts, at once or as they finish, or to groups for trainers that judge themselves.
Generate = Callable[[Sequence[Task]], Sequence[Rollout] | Sequence[Group] | Stream]


def collect(session: Session, generate: Generate) -> Batch:
    """Draw, generate and submit until the step's batch is full or the refills are used up.

    Where no group was kept the batch is empty and the session says stop: the trainer saves, if it has
    not just saved, and returns.

    Raises:
        TrainingError: no group was kept in the stage's first step.
    """
    want = session.stage.rollout.batch
    kept: list[Group] = []
    groups = rollouts = tokens = 0
    for _ in range(session.max_refills + 1):
        tasks = session.next_tasks(want - len(kept))
        if not tasks:
            break
        produced = generate(tasks)
        if isinstance(produced, Generator):
            for completions, passed in _stream(session, produced):
                tokens += sum(rollout.tokens for rollout in completions)
                rollouts += len(completions)
                kept += passed
        elif produced and isinstance(produced[0], Group):
            outcomes = cast(Sequence[Group], produced)
            tokens += sum(sum(group.lengths) for group in outcomes)
            rollouts += sum(group.size for group in outcomes)
            kept += session.submit_outcomes(outcomes)
        else:
            every = cast(Sequence[Rollout], produced)
            tokens += sum(rollout.tokens for rollout in every)
            rollouts += len(every)
            kept += session.submit(every)
        groups += len(tasks)
        if len(kept) >= want:
            break
    if not kept:
        session.exhaust(f"none of {groups} groups passed the gates: nothing left to learn from")
    return Batch(kept, groups - len(kept), rollouts, tokens)


def _stream(session: Session, stream: Stream) -> Iterator[tuple[Sequence[Rollout], Sequence[Group]]]:
    """What the stream gives, with the groups of it that were kept."""
    passed: Sequence[Group] = ()
    started = False
    while True:
        try:
            completions = stream.send(passed) if started else next(stream)
        except StopIteration:
            return
        started, passed = True, session.submit(completions)
        yield completions, passed
