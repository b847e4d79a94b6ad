"""Groups to observe, shape, gate and train on, for tests of plugins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling, Status, Verdict
from harness.contract.samples import Group, Sample


def group_with(
    rewards: Sequence[float | None],
    *,
    lengths: Sequence[int] | None = None,
    truncated: Sequence[bool] | None = None,
    rollouts: Sequence[Rollout] | None = None,
    advantages: Sequence[float | Sequence[float]] | None = None,
    task: str = "t",
    subject: str = "s",
    step: int = 0,
) -> Group:
    """A group with these rewards: 1 is a pass, None could not be judged, anything else a fail.

    Args:
        rewards: shape (G,).
        lengths: completion lengths in tokens; of the rollouts, else 5 each.
        truncated: which were cut; of the rollouts, else none.
        rollouts: the completions, None for a group without texts.
        advantages: shape (G,), a number or one per token each.
        task: the task's id.
        subject: what its difficulty is kept under.
        step: within the stage.
    """
    size = len(rewards)
    if rollouts is not None:
        lengths = lengths or [rollout.tokens for rollout in rollouts]
        truncated = truncated or [rollout.truncated for rollout in rollouts]
    lengths, truncated = lengths or (5,) * size, truncated or (False,) * size
    samples = [
        Sample(
            verdict=Verdict(status=_status(reward), score=reward, verifier="exact", verifier_hash=""),
            tokens=lengths[i],
            truncated=truncated[i],
            rollout=None if rollouts is None else rollouts[i],
            reward=reward,
        )
        for i, reward in enumerate(rewards)
    ]
    group = Group(task=task, subject=subject, step=step, samples=tuple(samples))
    return group if advantages is None else group.with_advantages(advantages)


def group_of(subject: str, passes: int, size: int = 8, *, step: int = 1, lost: int = 0) -> Group:
    """A group with so many passes, and `lost` samples that could not be judged among the others."""
    rewards = [1.0] * passes + [0.0] * (size - passes - lost) + [None] * lost
    return group_with(rewards, task=f"{subject}#0", subject=subject, step=step)


#: Rewards of the groups that `all_sorts` gives: alike and mixed, graded, masked in part and altogether, of
#: several sizes.
SORTS: Final[Sequence[Sequence[float | None]]] = (
    (0.0,) * 8,
    (1.0,) * 8,
    (1.0,) + (0.0,) * 7,
    (1.0,) * 4 + (0.0,) * 4,
    (0.25, 1.0, 0.0, 0.5, 0.75, 1.0, 0.0, 0.125),
    (None,) * 8,
    (1.0, None, 0.0, None, 1.0, 0.0, None, 0.0),
    (None, 1.0, None, 1.0, None, 1.0, None, 1.0),
    (1.0, 0.0, 1.0),
    (1.0,),
    (0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0),
)


def all_sorts(step: int = 1, *, subjects: int = 3, text: bool = True) -> list[Group]:
    """One group of every sort that a run can bring, the last one extended within its step.

    Args:
        step: of the stage; lengths differ from step to step.
        subjects: the groups belong to `s0`, `s1`, ... in turn.
        text: whether samples have their rollouts; those of a simulated trainer have none.
    """
    made = []
    for i, rewards in enumerate(SORTS):
        lengths = [(7 * j + 3 * i + step) % 23 + 1 for j in range(len(rewards))]
        cut = [length > 20 for length in lengths]
        rollouts = [_rollout(f"t{i}", j, step, lengths[j], cut[j]) for j in range(len(rewards))]
        made.append(
            group_with(
                rewards, lengths=lengths, truncated=cut, rollouts=rollouts if text else None,
                task=f"t{i}", subject=f"s{i % subjects}", step=step,
            )
        )  # fmt: skip
    last = made[-1]
    replayed = tuple(msgspec.structs.replace(s, replayed=j % 2 == 0) for j, s in enumerate(made[3].samples))
    made.append(replace(made[3], index=1, samples=replayed if text else made[3].samples))
    return [*made, replace(last, known=8)]


def _rollout(task: str, sample: int, step: int, tokens: int, cut: bool) -> Rollout:
    return Rollout(
        key=RolloutKey("conformance", "train", "stage", step, task, sample),
        prompt_ids=(1, 2),
        completion_ids=tuple(range(tokens)),
        text=f"answer {sample} " * tokens,
        finish="length" if cut else "stop",
        policy=PolicyRef(weights_sha="0", stage="stage", step=step),
        sampling=Sampling(max_tokens=23),
        logprobs=(-0.5,) * tokens,
    )


def _status(reward: float | None) -> Status:
    if reward is None:
        return "infra_error"
    return "pass" if reward == 1 else "fail"
