"""What a run has spent, and what it may: counted in rollouts and tokens, measured in CPU seconds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from harness.contract.records import Cost
from harness.recipe import Budget, Until

#: Sources that are counted apart; the samples of all further ones count together.
MOST_SOURCES: Final = 32
OTHERS: Final = "others"


@dataclass(slots=True)
class Spent:
    """Cumulative cost of training and difficulty measurement; evaluation is not charged."""

    rollouts: int = 0
    #: Tokens that were generated, returned or not.
    tokens: int = 0
    #: Process CPU time, for reports only: nothing is decided by it.
    cpu_seconds: float = 0.0
    #: US dollars, if engines have prices.
    usd: float = 0.0
    #: Those of `tokens` that engines generated and did not return.
    unreturned: int = 0
    #: Samples by the engine and configuration that answered, if engines say it (`Rollout.source`).
    sources: dict[str, int] = field(default_factory=dict)

    def pay(self, cost: Cost, source: str = "") -> None:
        """Count what a sample cost besides its tokens, and who answered. `tokens` is left alone: what was
        generated (`Rollout.generated`) is the caller's to count."""
        self.unreturned += cost.tokens
        self.usd += cost.usd
        if source:
            name = source if source in self.sources or len(self.sources) < MOST_SOURCES else OTHERS
            self.sources[name] = self.sources.get(name, 0) + 1

    def as_fields(self) -> dict[str, Any]:
        """As the ledger's lines carry it; what only some engines tell is left out if none told it."""
        values = asdict(self)
        for name in ("unreturned", "sources"):
            if not values[name]:
                del values[name]
        return {f"spent_{name}": value for name, value in values.items()}

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> Spent:
        """What a ledger's line carries."""
        names = [name for name in cls.__slots__ if f"spent_{name}" in line]
        return cls(**{name: line[f"spent_{name}"] for name in names})

    @classmethod
    def total(cls, parts: Iterable[Spent]) -> Spent:
        """The sum of several."""
        known = list(parts)
        sources: Counter[str] = Counter()
        for part in known:
            sources.update(part.sources)
        numbers = {name: sum(getattr(part, name) for part in known) for name in _NUMBERS}
        return cls(**numbers, sources=dict(sources))

    def since(self, start: Spent) -> Spent:
        sources = Counter(self.sources)
        sources.subtract(start.sources)
        numbers = {name: getattr(self, name) - getattr(start, name) for name in _NUMBERS}
        return Spent(**numbers, sources={name: n for name, n in sources.items() if n})

    def copy(self) -> Spent:
        return Spent(**asdict(self))

    def restore(self, other: Spent) -> None:
        """Take over the amounts of another."""
        for name, value in asdict(other).items():
            setattr(self, name, value)


_NUMBERS: Final = ("rollouts", "tokens", "cpu_seconds", "usd", "unreturned")


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
    """Rollouts left, None if unbounded."""
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
