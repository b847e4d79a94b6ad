"""What curricula ask of stored groups: their age, rewards, and how sure their right answers were."""

from __future__ import annotations

from collections.abc import Sequence

from harness.contract import CurriculumContext, Group, Sample, Store


def within(store: Store, context: CurriculumContext, oldest: int) -> list[Group]:
    """Stored groups that are at most so many steps old, the oldest first; 0 takes all."""
    groups = store.groups()
    return [group for group in groups if not oldest or context.step - group.step <= oldest]


def rewards(samples: Sequence[Sample]) -> list[float]:
    """Rewards of samples; what could not be judged counts as 0."""
    return [sample.reward or 0.0 for sample in samples]


def surprise(sample: Sample) -> float:
    """Mean negative log-probability of a completion's tokens, in nats: an estimate of the policy's entropy
    on it.

    inf for a sample without log-probabilities.
    """
    rollout = sample.rollout
    if rollout is None or not rollout.logprobs:
        return float("inf")
    return -sum(rollout.logprobs) / len(rollout.logprobs)
