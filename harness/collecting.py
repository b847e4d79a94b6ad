"""Filling a step's batch with groups that its gates keep: dynamic sampling with a bound.

DAPO (arXiv 2503.14476) draws until the batch is full, which never ends where nothing can pass. Here
the refills are bounded, and a step without a single kept group ends the stage and says so.

Where the trainer hands its rollouts on one by one, each is judged while the next ones are generated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

from harness.protocols import Batch, Session
from harness.records import Group, Rollout, Task

#: From tasks to rollouts, all at once or as they finish, or to groups for trainers that judge themselves.
Generate = Callable[[Sequence[Task]], Iterable[Rollout] | Sequence[Group]]


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
        produced = _drawn(session, generate(tasks))
        if produced and isinstance(produced[0], Group):
            outcomes = cast(Sequence[Group], produced)
            tokens += sum(sum(group.lengths) for group in outcomes)
            rollouts += sum(group.size for group in outcomes)
            kept += session.submit_outcomes(outcomes)
        else:
            completions = cast(Sequence[Rollout], produced)
            tokens += sum(rollout.tokens for rollout in completions)
            rollouts += len(completions)
            kept += session.submit(completions)
        groups += len(tasks)
        if len(kept) >= want:
            break
    if not kept:
        session.exhaust(f"none of {groups} groups passed the gates: nothing left to learn from")
    return Batch(kept, groups - len(kept), rollouts, tokens)


def _drawn(session: Session, produced: Iterable[Rollout] | Sequence[Group]) -> Sequence[Rollout | Group]:
    """All of them; what comes one by one is judged as it comes."""
    if isinstance(produced, Sequence):
        return produced
    rollouts = []
    for rollout in produced:
        session.offer(rollout)
        rollouts.append(rollout)
    return rollouts
