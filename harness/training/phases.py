"""Where a step's CPU time goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Phases:
    """CPU seconds by phase of a step, since it was made."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
        """
        Args:
            clock: CPU seconds so far, of this process and of others that work for it.
        """
        self._clock = clock
        self._cpu, self._wall = clock(), time.perf_counter()
        self._spent: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, phase: str) -> Iterator[None]:
        """Charge what happens inside to a phase."""
        start = self._clock()
        yield
        # A process that ends takes its time with it.
        self._spent[phase] += max(0.0, self._clock() - start)

    @property
    def cpu_seconds(self) -> float:
        return max(0.0, self._clock() - self._cpu)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self._wall

    def fields(self) -> dict[str, float]:
        """`generate_cpu_seconds` and so on, for `StepMetrics.extra`."""
        return {f"{phase}_cpu_seconds": seconds for phase, seconds in self._spent.items()}
