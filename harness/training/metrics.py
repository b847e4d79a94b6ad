"""What a step's groups say by themselves, by one rule for all trainers."""

from __future__ import annotations

from statistics import fmean, pstdev

from harness.contract.records import StepMetrics
from harness.contract.sessions import Batch


def group_metrics(stage: str, step: int, batch: Batch) -> StepMetrics:
    """The metrics of a batch before anything is learned from it. What could not be judged is in no rate."""
    groups = batch.groups
    samples = [sample for group in groups for sample in group.samples if not sample.replayed]
    rewards = [sample.reward for sample in samples if sample.reward is not None]
    judged = [sample.verdict.status for sample in samples if sample.judged]
    return StepMetrics(
        stage=stage,
        step=step,
        rollouts=batch.rollouts,
        tokens=batch.tokens,
        reward_mean=fmean(rewards) if rewards else 0.0,
        reward_sd=pstdev(rewards) if rewards else 0.0,
        pass_rate=judged.count("pass") / len(judged) if judged else 0.0,
        zero_variance_groups=sum(not group.signal for group in groups) / len(groups),
        truncated=fmean(sample.truncated for sample in samples) if samples else 0.0,
        discarded_groups=batch.discarded,
    )


def answer_metrics(stage: str, step: int, pass_rate: float) -> StepMetrics:
    """The metrics of a step of supervised fine-tuning, in which nothing is sampled."""
    return StepMetrics(
        stage=stage,
        step=step,
        rollouts=0,
        tokens=0,
        reward_mean=0.0,
        reward_sd=0.0,
        pass_rate=pass_rate,
        zero_variance_groups=0.0,
        truncated=0.0,
    )
