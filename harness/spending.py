"""What a run has spent, and what it may: counted in rollouts and tokens, measured in CPU seconds."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from harness.recipe import Budget, Until


@dataclass(slots=True)
class Spent:
    """Cumulative cost of training and difficulty measurement; evaluation is not charged."""

    rollouts: int = 0
    tokens: int = 0
    #: Process CPU time, for reports only: nothing is decided by it.
    cpu_seconds: float = 0.0

    def fields(self) -> dict[str, Any]:
        """As the ledger's lines carry it."""
        return {f"spent_{name}": value for name, value in asdict(self).items()}

    def since(self, start: Spent) -> Spent:
        return Spent(
            self.rollouts - start.rollouts, self.tokens - start.tokens, self.cpu_seconds - start.cpu_seconds
        )

    def copy(self) -> Spent:
        return Spent(self.rollouts, self.tokens, self.cpu_seconds)


class CpuMeter:
    """Charges CPU time to `spent` while it is entered."""

    def __init__(self, spent: Spent) -> None:
        self._spent = spent
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = time.process_time()

    def __exit__(self, *exc: object) -> None:
        self._spent.cpu_seconds += time.process_time() - self._start


def remaining_rollouts(budget: Budget, spent: Spent) -> int | None:
    """Rollouts left, None when unbounded."""
    return None if budget.rollouts is None else max(0, budget.rollouts - spent.rollouts)


def budget_reason(budget: Budget, spent: Spent, group_size: int) -> str | None:
    """Why the run's budget allows no further group, or None."""
    left = remaining_rollouts(budget, spent)
    if left is not None and left < group_size:
        return f"the run's budget of {budget.rollouts:,} rollouts is spent"
    if budget.tokens is not None and spent.tokens >= budget.tokens:
        return f"the run's budget of {budget.tokens:,} tokens is spent"
    return None


def until_reason(until: Until, spent: Spent, steps: int, max_steps: int | None) -> str | None:
    """Why the stage's own limits end it, or None; `spent` counts this stage alone."""
    if until.rollouts is not None and spent.rollouts >= until.rollouts:
        return f"{spent.rollouts:,} rollouts of the stage's {until.rollouts:,}"
    if until.tokens is not None and spent.tokens >= until.tokens:
        return f"{spent.tokens:,} tokens of the stage's {until.tokens:,}"
    limits = [limit for limit in (until.steps, max_steps) if limit is not None]
    if limits and steps >= min(limits):
        return f"{steps} steps"
    return None
