"""avg@k, pass@k, G-Pass@k and maj@k from n samples per problem, without bias if that is possible."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

Floats = npt.NDArray[np.float64]
Counts = npt.ArrayLike


def avg_at_k(scores: Sequence[Sequence[float]], k: int | None = None) -> float:
    """Mean over problems of the mean score of each problem's first k samples.

    Args:
        scores: one sequence of scores in [0, 1] a problem; lengths may differ when `k` is None.
        k: samples to use; None takes all of them.

    Raises:
        ValueError: there is no problem, or one has fewer than k (or no) samples.
    """
    if not scores:
        raise ValueError("avg@k needs at least one problem")
    short = [i for i, row in enumerate(scores) if len(row) < (k or 1)]
    if short:
        raise ValueError(f"problem {short[0]} has {len(scores[short[0]])} samples; avg@k needs {k or 1}")
    return float(np.mean([np.mean(np.asarray(row[:k], dtype=float)) for row in scores]))


def pass_at_k(passes: Counts, samples: Counts, k: int | Sequence[int]) -> Floats:
    """The chance that at least one of k samples passes, estimated without bias for each problem.

    `1 - C(n - c, k) / C(n, k)` with c passes among n samples (Chen et al. 2021, arXiv 2107.03374,
    eq. 1), computed as a product of ratios for small k and through log-gamma otherwise, so that it
    stays exact to rounding for any n.

    Args:
        passes: c, shape (problems,).
        samples: n, shape (problems,) or a scalar.
        k: one k, or several at once.

    Returns:
        Shape (problems,) for one k, (len(k), problems) for several.

    Raises:
        ValueError: k exceeds some n, or a count is out of range.
    """
    c, n = _counts(passes, samples)
    single = isinstance(k, int)
    ks: list[int] = [k] if isinstance(k, int) else list(k)
    out = np.empty((len(ks), c.size))
    for row, value in enumerate(ks):
        _check_k(value, n)
        out[row] = _pass_at(c, n, value)
    return out[0] if single else out


def _pass_at(c: npt.NDArray[np.int64], n: npt.NDArray[np.int64], k: int) -> Floats:
    fails = n - c
    miss = np.zeros(c.size)
    possible = fails >= k
    f, m = fails[possible].astype(float), n[possible].astype(float)
    if k <= 64:
        steps = np.arange(k)[:, None]
        miss[possible] = np.prod((f - steps) / (m - steps), axis=0)
    else:
        miss[possible] = np.exp(gammaln(f + 1) - gammaln(f - k + 1) - gammaln(m + 1) + gammaln(m - k + 1))
    result: Floats = np.clip(1.0 - miss, 0.0, 1.0)
    return result


def g_pass_at_k(passes: Counts, samples: Counts, k: int, threshold: float) -> Floats:
    """The chance that at least `ceil(threshold * k)` of k samples pass (G-Pass@k, arXiv 2412.13147).

    A hypergeometric tail; threshold 0 means at least one, which is pass@k. Shapes as `pass_at_k`.
    """
    c, n = _counts(passes, samples)
    _check_k(k, n)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must lie in [0, 1], not {threshold}")
    # The small allowance keeps 0.28 * 25 from becoming 8.
    return _at_least(c, n, k, max(math.ceil(threshold * k - 1e-9), 1))


def mg_pass_at_k(passes: Counts, samples: Counts, k: int) -> Floats:
    """mG-Pass@k (arXiv 2412.13147, eq. 6): `2/k * sum_{i = ceil(k/2)+1}^{k}` of "at least i of k"."""
    c, n = _counts(passes, samples)
    _check_k(k, n)
    total = np.zeros(c.size)
    for i in range(math.ceil(k / 2) + 1, k + 1):
        total += _at_least(c, n, k, i)
    result: Floats = 2.0 * total / k
    return result


def _at_least(c: npt.NDArray[np.int64], n: npt.NDArray[np.int64], k: int, count: int) -> Floats:
    from scipy.stats import hypergeom

    return np.asarray(hypergeom.sf(count - 1, n, c, k), dtype=float)


def maj_at_k(
    answers: Sequence[Hashable | None],
    correct: Mapping[Hashable, bool] | Sequence[bool],
    k: int | None = None,
) -> float:
    """Whether the most frequent answer of the first k is right, for one problem; ties share.

    Args:
        answers: extracted answers, None if nothing was extracted (it never votes).
        correct: for each answer, or for each sample, whether it is right.
        k: votes to count; None takes all.

    Returns:
        The share of the top answers that are right: 0 or 1 without a tie, 0 if nobody votes.
        Samples that gave one answer but were judged differently count by their share.
    """
    votes = Counter(a for a in answers[:k] if a is not None)
    if not votes:
        return 0.0
    if isinstance(correct, Mapping):
        truth: dict[Hashable, float] = {a: float(correct[a]) for a in votes}
    else:
        judged: dict[Hashable, list[bool]] = {}
        for answer, right in zip(answers[:k], correct[:k], strict=True):
            if answer is not None:
                judged.setdefault(answer, []).append(right)
        truth = {a: sum(marks) / len(marks) for a, marks in judged.items()}
    most = max(votes.values())
    top = [a for a, count in votes.items() if count == most]
    return sum(truth[a] for a in top) / len(top)


def _counts(passes: Counts, samples: Counts) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    c = np.atleast_1d(np.asarray(passes, dtype=np.int64))
    n = np.broadcast_to(np.asarray(samples, dtype=np.int64), c.shape)
    if c.size == 0:
        raise ValueError("no problems")
    if (c < 0).any() or (c > n).any():
        i = int(np.flatnonzero((c < 0) | (c > n))[0])
        raise ValueError(f"problem {i}: {c[i]} passes among {n[i]} samples")
    return c, n


def _check_k(k: int, n: npt.NDArray[np.int64]) -> None:
    if k < 1 or k > int(n.min()):
        raise ValueError(f"k = {k} needs 1 <= k <= samples; the fewest samples of a problem are {n.min()}")
