"""Curriculum `hora`: samples shared out by the chance of a pass (HORA, arXiv 2605.07114, section 3).

After a pilot with k passes of n a task's pass rate has the posterior Beta(a, b) = Beta(k + 1, n - k + 1).
The hit utility of m more samples is the posterior chance that at least one passes,

    u(m) = 1 - B(a, b + m) / B(a, b) = 1 - prod over j < m of (b + j) / (a + b + j)

and the rest of the step's samples goes where the total is greatest. u is concave, so taking the greatest
gains one by one is exact. No code of the authors was at hand; this follows the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from harness_curricula.index import Floats

from harness.contract import Ask, BuildContext, CurriculumContext, Group
from harness_allocation.options import HoraOptions
from harness_allocation.rounds import Stateless, counts
from harness_allocation.sharing_out import shared_out


class Hora(Stateless):
    """Uniformly drawn tasks: pilots, then the rest where a pass is likeliest to be added."""

    def __init__(self, options: HoraOptions, context: BuildContext | None = None) -> None:
        super().__init__()
        self.options = options
        #: Tasks of the step among which its rest was shared out already.
        self._considered: set[str] = set()

    def next(self, k: int, context: CurriculumContext) -> Sequence[Ask]:
        if self._rounds.begins(context):
            self.options.size(context)
            self._considered = set()
        return [Ask(task, self.options.pilot) for task in self._rounds.draw(k, context)]

    def more(self, groups: Sequence[Group], context: CurriculumContext) -> Sequence[Ask]:
        options = self.options
        new = [group for group in groups if not group.known and group.task not in self._considered]
        if not new:
            return ()
        self._considered.update(group.task for group in new)
        pilots = np.array([counts(group) for group in new])
        table = gains(pilots[:, 0], pilots[:, 1], options.most - options.pilot)
        sizes = shared_out(table, len(new) * (options.size(context) - options.pilot))
        return self._rounds.ask({group.task: size for group, size in zip(new, sizes.tolist(), strict=True)})


def gains(passes: np.ndarray, samples: np.ndarray, most: int) -> Floats:
    """What each further sample adds to the chance of a pass, shape (tasks, most)."""
    a, b = (passes + 1.0)[:, None], (samples - passes + 1.0)[:, None]
    j = np.arange(most)[None, :]
    # The sample j + 1 is the first pass if the j before it are none.
    missed = np.cumprod((b + j) / (a + b + j), axis=1)
    before = np.concatenate([np.ones((len(missed), 1)), missed[:, :-1]], axis=1)
    added: Floats = before[:, :most] * (a / (a + b + j))
    return added
