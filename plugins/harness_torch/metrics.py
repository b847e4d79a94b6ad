"""What a step's groups say by themselves."""

from __future__ import annotations

from statistics import fmean, pstdev

from harness.protocols import Batch
from harness.records import StepMetrics


def group_metrics(stage: str, step: int, batch: Batch) -> StepMetrics:
    """The metrics of a batch before anything is learned from it."""
    groups = batch.groups
    rewards = [reward for group in groups for reward in group.rewards if reward is not None]
    judged = [status for group in groups for status in group.statuses if status != "infra_error"]
    return StepMetrics(
        stage=stage,
        step=step,
        rollouts=batch.rollouts,
        tokens=batch.tokens,
        reward_mean=fmean(rewards) if rewards else 0.0,
        reward_sd=pstdev(rewards) if rewards else 0.0,
        pass_rate=judged.count("pass") / len(judged) if judged else 0.0,
        zero_variance_groups=sum(not group.mixed for group in groups) / len(groups),
        truncated=fmean(cut for group in groups for cut in group.truncated),
        discarded_groups=batch.discarded,
    )
