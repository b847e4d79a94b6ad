"""Metric `g-pass`: how stably a model solves what it can solve.

G-Pass@k with threshold t is the chance that at least ceil(t k) of k samples pass, estimated without bias
from n samples of which c pass: the sum over j >= ceil(t k) of C(c, j) C(n - c, k - j) / C(n, k) (Liu et al.
2024, arXiv 2412.13147, eq. 2 and 3). The smallest t gives pass@k, t = 1 the chance that all k pass; mG-Pass@k
is twice the mean over t in (0.5, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, comb

from harness.contract import BuildContext, RecipeError, ScoredSample
from harness.recipe import Count, Model, Share


class StabilityOptions(Model):
    """Which G-Pass@k figures are computed (arXiv 2412.13147)."""

    k: Count | None = None
    """Samples per draw. If not set, half of the samples that every problem has."""
    thresholds: tuple[Share, ...] = (0.5, 0.75, 1.0)
    """Shares of the k samples that must pass, each of which gives one figure `g-pass@k_<threshold>`."""


class Stability:
    """Callable on judged samples (protocol `Metric`)."""

    def __init__(self, options: StabilityOptions, context: BuildContext | None = None) -> None:
        self._options = options

    def __call__(self, samples: Sequence[ScoredSample]) -> Mapping[str, float]:
        """`g-pass@k_t` for each threshold, and `mg-pass@k`.

        Raises:
            RecipeError: a problem has fewer than k samples.
        """
        counts: dict[str, list[int]] = {}
        for sample in samples:
            row = counts.setdefault(sample.task.id, [0, 0])
            row[0] += 1
            row[1] += sample.verdict.status == "pass"
        fewest = min((n for n, _ in counts.values()), default=0)
        k = self._options.k or max(1, fewest // 2)
        if k > fewest:
            raise RecipeError(f"k = {k}, and a problem has {fewest} samples", where="metric 'g-pass', k")
        share = len(counts)
        tails = [sum(_at_least(j, n, c, k) for n, c in counts.values()) / share for j in range(k + 1)]
        out = {f"g-pass@{k}_{t:g}": tails[max(1, ceil(t * k))] for t in self._options.thresholds}
        first = ceil(0.5 * k) + 1
        return out | {f"mg-pass@{k}": 2 / k * sum(tails[first:])}


def _at_least(least: int, n: int, c: int, k: int) -> float:
    """The chance that of k samples drawn from n without replacement, c of which pass, so many pass."""
    return sum(comb(c, j) * comb(n - c, k - j) for j in range(least, min(c, k) + 1)) / comb(n, k)
