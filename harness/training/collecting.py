"""Filling a step's batch with groups that its gates keep: dynamic sampling with a bound.

DAPO (arXiv 2503.14476) draws until the batch is full, which never ends if nothing can pass. Here
the refills are bounded, and a step without a single kept group ends the stage and says so.

Where the trainer hands its rollouts on one by one, each is judged while the next ones are generated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from harness.contract.records import Rollout
from harness.contract.samples import Group
from harness.contract.sessions import Batch, Generate, Generated, GroupStream, Session


def collect(session: Session, generate: Generate) -> Batch:
    """Draw, generate and submit until the step's batch is full or the refills are used up.

    Where no group was kept the batch is empty and the session says stop: the trainer saves, if it has
    not just saved, and returns.

    Raises:
        TrainingError: no group was kept in the stage's first step, or none because nothing could be judged.
    """
    want = session.stage.rollout.batch
    # By task and number: a group that is extended takes the place of what it was.
    kept: dict[tuple[str, int], Group] = {}
    groups = rollouts = tokens = 0
    for _ in range(session.max_refills + 1):
        tasks = session.next_tasks(want - len(kept))
        if not tasks:
            break
        groups += len(tasks)
        while tasks:
            for cost, completions, passed in _submitted(session, generate(tasks)):
                tokens += cost
                rollouts += completions
                kept.update({(group.task, group.index): group for group in passed})
            tasks = session.more_tasks()
            for task in tasks:  # what is extended is judged anew, and may be discarded then
                kept.pop(max((key for key in kept if key[0] == task.id), default=("", 0)), None)
        if len(kept) >= want:
            break
    if not kept:
        session.exhaust(
            f"none of {groups} groups passed the gates: nothing left to learn from"
            if groups
            else "there is no task to draw that the budget allows"
        )
        return Batch((), groups, rollouts, tokens)
    replayed = session.replayed(tuple(kept.values()))
    return Batch(interleaved(tuple(kept.values()), replayed), groups - len(kept), rollouts, tokens)


def interleaved(kept: Sequence[Group], replayed: Sequence[Group]) -> tuple[Group, ...]:
    """Fresh and replayed groups, each kind spread evenly over the batch and in its own order: a trainer cuts
    the batch into mini-batches in this order, and each then holds both kinds alike."""
    placed = [
        ((i + 0.5) / len(groups), group) for groups in (kept, replayed) for i, group in enumerate(groups)
    ]
    return tuple(group for _, group in sorted(placed, key=lambda pair: pair[0]))


def _submitted(session: Session, produced: Generated) -> Iterator[tuple[int, int, Sequence[Group]]]:
    """Tokens, completions and kept groups, of all at once or of a stream's groups as they finish."""
    if isinstance(produced, GroupStream):
        passed: Sequence[Group] | None = None
        while True:
            try:
                # A generator that has not begun takes no value.
                rollouts = next(produced.groups) if passed is None else produced.groups.send(passed)
            except StopIteration:
                return
            passed = session.submit(rollouts)
            yield _tokens(rollouts), len(rollouts), passed
    elif isinstance(produced, Sequence) and produced and isinstance(produced[0], Group):
        outcomes = cast(Sequence[Group], produced)
        tokens = sum(sample.generated for group in outcomes for sample in group.samples)
        yield tokens, sum(group.size for group in outcomes), session.submit_outcomes(outcomes)
    else:
        rollouts = []
        for rollout in cast(Sequence[Rollout], produced):
            if not isinstance(produced, Sequence):
                session.offer(rollout)
            rollouts.append(rollout)
        yield _tokens(rollouts), len(rollouts), session.submit(rollouts)


def _tokens(rollouts: Sequence[Rollout]) -> int:
    return sum(rollout.generated for rollout in rollouts)
