"""Pass rates by sampling, no more than the decision at hand needs.

A label exists to decide whether a subject lies in a window of pass rates. After each round the posterior
Beta(passes + 1, fails + 1) is asked; sampling stops if it puts at least `confidence` on one side of the
question, or the most rollouts are spent. Rollouts of one task resemble each other, so for a stratum
every round takes fresh tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contract import BuildContext, Difficulty
from harness_difficulty.options import PassRateOptions

#: Rollouts lost to infrastructure errors are drawn again until this many times the most were tried.
MAX_TRIES = 2

Floats = npt.NDArray[np.float64]


class PassRate:
    """Estimator `pass-rate` (protocol `DifficultyEstimator`); it has no state beyond the outcomes."""

    def __init__(self, options: PassRateOptions, context: BuildContext | None = None) -> None:
        self.options = options

    def requests(self, outcomes: Mapping[str, Difficulty], subjects: Sequence[str]) -> Mapping[str, int]:
        """How many more rollouts each subject needs in this round; subjects that need none are left out.

        Ask again with the new outcomes until the answer is empty. `split` says over how many
        tasks to spread a stratum's rollouts.
        """
        options = self.options
        seen = [outcomes.get(subject) for subject in subjects]
        samples = np.array([0 if d is None else d.samples for d in seen], dtype=np.int64)
        lost = np.array([0 if d is None else d.excluded_infra for d in seen], dtype=np.int64)
        wanted = np.maximum(options.most - samples, 0)
        if options.sequential:
            passes = np.array([0 if d is None else d.passes for d in seen], dtype=np.int64)
            wanted = np.minimum(wanted, options.round)
            wanted[self._decided(subjects, samples, passes)] = 0
        wanted[samples + lost >= MAX_TRIES * options.most] = 0
        return {subjects[i]: int(wanted[i]) for i in np.flatnonzero(wanted).tolist()}

    def split(self, count: int, *, endless: bool) -> list[int]:
        """`count` rollouts as numbers of rollouts for one task after another.

        An endless source gives fresh tasks with `samples` rollouts each (the last may have fewer); a
        finite one has a single task behind the subject, which gets them all.
        """
        if not endless:
            return [count] if count else []
        whole, rest = divmod(count, self.options.samples)
        return [self.options.samples] * whole + ([rest] if rest else [])

    def window_probability(self, samples: npt.NDArray[np.int64], passes: npt.NDArray[np.int64]) -> Floats:
        """Posterior probability that the pass rate lies in [low, high]; shapes (subjects,)."""
        from scipy.special import betainc

        a, b = passes + 1.0, samples - passes + 1.0
        inside: Floats = betainc(a, b, self.options.high) - betainc(a, b, self.options.low)
        return inside

    def _inside(
        self, subjects: Sequence[str], samples: npt.NDArray[np.int64], passes: npt.NDArray[np.int64]
    ) -> Floats:
        """The window's posterior probability by subject; an estimator that knows more overrides it."""
        return self.window_probability(samples, passes)

    def _decided(
        self, subjects: Sequence[str], samples: npt.NDArray[np.int64], passes: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        inside = self._inside(subjects, samples, passes)
        sure: npt.NDArray[np.bool_] = np.maximum(inside, 1 - inside) >= self.options.confidence
        return sure & (samples >= (self.options.min_samples or self.options.round))

    def fit(self, outcomes: Mapping[str, Difficulty]) -> Mapping[str, Difficulty]:
        """The outcomes themselves: a pass rate is its own label."""
        return dict(outcomes)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state:
            raise ValueError(f"pass-rate has no state, got {sorted(state)}")
