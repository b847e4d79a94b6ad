"""What a step's groups say by themselves, and where its CPU time went."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
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


class Phases:
    """Process CPU seconds by phase of a step, since it was made."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        self._spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Charge what happens inside to a phase."""
        start = time.process_time()
        yield
        self._spent[phase] += time.process_time() - start

    @property
    def cpu_seconds(self) -> float:
        return time.process_time() - self._cpu

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._wall

    def fields(self) -> dict[str, float]:
        """`generate_cpu_seconds` and so on, for `StepMetrics.extra`."""
        return {f"{phase}_cpu_seconds": seconds for phase, seconds in self._spent.items()}
