"""Source `sim-irt`: items whose difficulty and discrimination are known.

Subject i of n has difficulty low + (high - low) * i / (n - 1), easy to hard. A stratum's items
scatter around it. Which item stands at an index depends on the name alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from statistics import NormalDist
from typing import Final

from harness.contract import BuildContext, DataError, Task, seed_of
from harness_sim.items import item
from harness_sim.options import SimIrtOptions

_NORMAL: Final = NormalDist()


class SimIrt:
    """Simulated items, as an endless source of strata or a finite set (protocol `TaskSource`)."""

    def __init__(self, options: SimIrtOptions, context: BuildContext | None = None) -> None:
        self.options = options
        self.endless = options.form == "strata"
        width = len(str(options.count - 1))
        #: What the tasks' ids begin with.
        self._stem = f"{options.prefix or 'sim-irt'}/{options.split}/{options.seed}/"
        level = f"{options.prefix}-level" if options.prefix else "level"
        first = level if self.endless else f"{self._stem}item"
        self._names = [f"{first}-{i:0{width}d}" for i in range(options.count)]
        self._position = {name: i for i, name in enumerate(self._names)}

    def subjects(self) -> Sequence[str]:
        return self._names

    def draw(self, subject: str, index: int) -> Task:
        """Raises DataError for a subject that it does not have."""
        position = self._position.get(subject)
        if position is None:
            raise DataError(f"has no subject {subject!r}", where="task source 'sim-irt'")
        options = self.options
        name = f"{self._stem}{subject}/{index}" if self.endless else subject
        step = (options.high - options.low) / max(1, options.count - 1)
        b = options.low + step * position
        if self.endless and options.spread:
            b += options.spread * _normal(name, "b")
        a = options.discrimination
        if options.discrimination_spread:
            a *= exp(options.discrimination_spread * _normal(name, "a"))
        return item(name, a, b, domain=options.domain, stratum=subject if self.endless else None)

    def get(self, task_id: str) -> Task:
        """Raises DataError for an id that it never gives."""
        if not self.endless:
            return self.draw(task_id, 0)
        subject, _, index = task_id.removeprefix(self._stem).rpartition("/")
        if not task_id.startswith(self._stem) or not index.isdecimal() or subject not in self._position:
            raise DataError(f"never gave a task {task_id!r}", where="task source 'sim-irt'")
        return self.draw(subject, int(index))


def _normal(*key: str) -> float:
    """A standard normal number that the key names; the seed has 63 bits."""
    return _NORMAL.inv_cdf((seed_of(*key) + 0.5) / 2.0**63)
