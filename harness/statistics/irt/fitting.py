"""Fitting the 2PL model to a matrix of outcomes.

The abilities are a draw from a normal distribution and are integrated out (marginal maximum likelihood by EM:
Bock and Aitkin 1981), each by a Gauss-Hermite rule around its own mode, for with a thousand items an ability
is known far better than any fixed grid. Items have a prior, whose deviations are estimated with them: it is
what keeps an item finite that everybody or nobody solves, and an item with few answers near the others.

While fitting, an item's logit is exp(alpha) theta + c with alpha ~ N(0, .) and c ~ N(0, .), so that the items
fix the scale and the abilities' mean and deviation are free. The results are in the gauge of the abilities:
theta, a and b are known up to theta -> s theta + m, b -> s b + m, a -> a / s, and here the abilities of the
fitted configurations have mean 0 and standard deviation 1, what is not known of each of them included. `a` is
positive, so that more ability means more passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from harness.contract.errors import DataError
from harness.statistics.irt.matrix import Matrix, require_fittable
from harness.statistics.irt.twopl import Floats, Items

#: Points of the Gauss-Hermite rule for each ability.
POINTS: Final = 9
#: EM ends if no parameter moves further than this in a round, apart from the scale as a whole.
TOLERANCE: Final = 5e-4
ROUNDS: Final = 3000
#: Deviations of priors stay above this, or EM would make a handful of items all alike.
LEAST_SD: Final = 0.2
#: And below these for alpha, c and the abilities: outcomes that a step separates would let them grow for
#: ever.
MOST_SD: Final = (1.0, 6.0)
MOST_SPREAD: Final = 6.0
#: Longest step of a parameter in a round.
STRIDE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Prior:
    """What items have in common, in the gauge of the abilities: log a ~ N(log_a, log_a_sd), and at theta =
    `b` the logit of an item is N(0, logit_sd), so that its own b is N(b, logit_sd / a)."""

    log_a: float = 0.0
    log_a_sd: float = 0.5
    b: float = 0.0
    logit_sd: float = 2.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model. Abilities have shape (configurations,)."""

    items: Items
    configurations: tuple[str, ...]
    theta: Floats
    #: Standard errors of `theta`, in which those of the items are included.
    theta_se: Floats
    #: For items that nobody ran.
    prior: Prior
    #: Log-likelihood of the outcomes at the estimates, in nats.
    log_likelihood: float
    #: Rounds of EM.
    rounds: int
    #: Configurations that passed nothing, or everything: the prior alone keeps their ability finite.
    extreme: tuple[str, ...] = ()


@dataclass(slots=True)
class _State:
    """Where EM stands: logits are exp(alpha) theta + c."""

    alpha: Floats
    c: Floats
    #: Modes and deviations of the abilities' posteriors.
    theta: Floats
    sd: Floats
    alpha_sd: float = 0.5
    c_sd: float = 2.0
    mean: float = 0.0
    spread: float = 1.0


def fit(matrix: Matrix) -> Fitted:
    """Fit items and abilities.

    Args:
        matrix: outcomes of at least two configurations on at least two items.

    Raises:
        DataError: too small a matrix, an item or a configuration without samples, blocks that share neither
            items nor configurations, or EM that did not settle.
    """
    require_fittable(matrix)
    state = _start(matrix)
    before = _gauged(state)
    rounds = 0
    for rounds in range(1, ROUNDS + 1):  # noqa: B007 - told with the result
        _abilities(state, matrix)
        _round(state, matrix)
        now = _gauged(state)
        moved = float(np.abs(now - before).max())
        if moved < TOLERANCE:
            break
        before = now
    else:
        raise DataError(
            f"the fit did not settle within {ROUNDS} rounds: parameters still move by {moved:.2g}",
            where="2PL fit",
            hint="look for items or configurations with next to no samples, and leave them out",
        )
    _abilities(state, matrix)
    return _described(state, matrix, rounds)


def _gauged(state: _State) -> Floats:
    """What the fit is about, whatever the scale: log a and the items' logits at the abilities' mean, (2,
    items)."""
    return np.stack([state.alpha + np.log(state.spread), state.c + np.exp(state.alpha) * state.mean])


def _start(matrix: Matrix) -> _State:
    """Logits of the shares passed, half a sample added to either side."""
    n, k = matrix.samples, matrix.passes
    theta = _logit((k.sum(1) + 0.5) / (n.sum(1) + 1))
    c = _logit((k.sum(0) + 0.5) / (n.sum(0) + 1))
    return _State(
        np.zeros_like(c), c - c.mean(), theta, np.ones_like(theta),
        mean=float(theta.mean()), spread=max(LEAST_SD, float(theta.std())),
    )  # fmt: skip


def _logit(share: Floats) -> Floats:
    odds: Floats = np.log(share) - np.log1p(-share)
    return odds


def _abilities(state: _State, matrix: Matrix, steps: int = 3) -> None:
    """Newton steps towards the mode of each ability's posterior, and the deviation there."""
    a, n, k = np.exp(state.alpha), matrix.samples, matrix.passes
    firm = state.spread**-2
    for _ in range(steps):
        p = expit(a * state.theta[:, None] + state.c)
        slope = (k - n * p) @ a - (state.theta - state.mean) * firm
        curve = (n * p * (1 - p)) @ a**2 + firm
        state.theta = state.theta + np.clip(slope / curve, -1, 1)
        state.sd = curve**-0.5


def _nodes(state: _State, matrix: Matrix) -> tuple[Floats, Floats]:
    """Values of each ability and their posterior weights, both of shape (configurations, points)."""
    at, weight = np.polynomial.hermite_e.hermegauss(POINTS)
    theta = state.theta[:, None] + state.sd[:, None] * at
    a = np.exp(state.alpha)
    log = np.empty_like(theta)
    for q in range(POINTS):
        logits = a * theta[:, q, None] + state.c
        log[:, q] = (matrix.passes * logits - matrix.samples * np.logaddexp(0, logits)).sum(1)
    log += np.log(weight) + at**2 / 2 - (theta - state.mean) ** 2 / (2 * state.spread**2)
    posterior = np.exp(log - log.max(1, keepdims=True))
    return theta, posterior / posterior.sum(1, keepdims=True)


@dataclass(frozen=True, slots=True)
class _Pull:
    """What the outcomes say of (alpha, c): gradient (2, items) and information (2, 2, items)."""

    gradient: Floats
    complete: Floats
    #: Size of the curvature by alpha that the information leaves out, (items,): with it a step does not
    #: overshoot, as it else does for items that weak configurations pass and strong ones fail.
    bend: Floats
    #: What is lost because abilities are not seen (Louis 1982), without terms between items.
    missing: Floats


def _pull(state: _State, matrix: Matrix, theta: Floats, weight: Floats, *, missing: bool = False) -> _Pull:
    a, n, k = np.exp(state.alpha), matrix.samples, matrix.passes
    complete, square = np.zeros((2, 2, len(a))), np.zeros((2, 2, len(a)))
    mean = np.zeros((2, *n.shape))
    for q in range(POINTS):
        w = weight[:, q, None]
        slope = a * theta[:, q, None]
        p = expit(slope + state.c)
        residual, told = k - n * p, w * n * p * (1 - p)
        score = np.stack([residual * slope, residual])
        mean += w * score
        both = told * slope
        complete += np.stack([[(both * slope).sum(0), both.sum(0)], [both.sum(0), told.sum(0)]])
        if missing:
            square += np.einsum("xpi,ypi->xyi", w * score, score)
    gradient = mean.sum(1)
    if missing:
        square -= np.einsum("xpi,ypi->xyi", mean, mean)
    return _Pull(gradient, complete, np.abs(gradient[0]), square)


def _firm(state: _State) -> Floats:
    """What the items' prior adds to their information, (2, 2, 1)."""
    firm: Floats = np.diag([state.alpha_sd**-2, state.c_sd**-2])[:, :, None]
    return firm


def _round(state: _State, matrix: Matrix) -> None:
    """One step for every item and for all priors."""
    theta, weight = _nodes(state, matrix)
    pull = _pull(state, matrix, theta, weight)
    gradient = pull.gradient - np.stack([state.alpha / state.alpha_sd**2, state.c / state.c_sd**2])
    curve = pull.complete + _firm(state)
    covariance = _inverse(curve)
    curve[0, 0] += pull.bend
    step = np.clip(np.einsum("xyi,yi->xi", _inverse(curve), gradient), -STRIDE, STRIDE)
    state.alpha, state.c = state.alpha + step[0], state.c + step[1]
    # The priors' deviations: each item counts with its own uncertainty (empirical Bayes by EM).
    alpha_sd = float((state.alpha**2 + covariance[0, 0]).mean() ** 0.5)
    c_sd = float((state.c**2 + covariance[1, 1]).mean() ** 0.5)
    state.alpha_sd = min(max(LEAST_SD, alpha_sd), MOST_SD[0])
    state.c_sd = min(max(LEAST_SD, c_sd), MOST_SD[1])
    state.mean = float((weight * theta).sum(1).mean())
    spread = float((weight * (theta - state.mean) ** 2).sum(1).mean() ** 0.5)
    state.spread = min(max(LEAST_SD, spread), MOST_SPREAD)


def _inverse(curve: Floats) -> Floats:
    """Inverses of (2, 2, items)."""
    inverse: Floats = np.asarray(np.linalg.inv(curve.transpose(2, 0, 1)).transpose(1, 2, 0), dtype=np.float64)
    return inverse


def _described(state: _State, matrix: Matrix, rounds: int) -> Fitted:
    """The estimates with their errors, in the gauge of the abilities."""
    theta, weight = _nodes(state, matrix)
    mean = (theta * weight).sum(1)
    own = (weight * (theta - mean[:, None]) ** 2).sum(1)
    pull = _pull(state, matrix, theta, weight, missing=True)
    covariance = _inverse(pull.complete - pull.missing + _firm(state))
    a = np.exp(state.alpha)
    b = -state.c / a
    # b = -c / a moves by -b with alpha and by -1 / a with c.
    by = np.stack([-b, -1 / a])
    b_variance = np.einsum("xi,xyi,yi->i", by, covariance, by)
    variance = own + _from_items(mean, own, state, covariance, matrix)
    shift = float(mean.mean())
    scale = float((((mean - shift) ** 2) + own).mean() ** 0.5)
    logits = a * mean[:, None] + state.c
    likelihood = float((matrix.passes * logits - matrix.samples * np.logaddexp(0, logits)).sum())
    items = Items(
        matrix.items, a * scale, (b - shift) / scale,
        a * scale * np.sqrt(covariance[0, 0]), np.sqrt(b_variance) / scale,
    )  # fmt: skip
    prior = Prior(float(np.log(scale)), state.alpha_sd, -shift / scale, state.c_sd)
    return Fitted(
        items, matrix.configurations, (mean - shift) / scale, np.sqrt(variance) / scale, prior, likelihood,
        rounds, matrix.extreme(),
    )  # fmt: skip


def _from_items(theta: Floats, variance: Floats, state: _State, covariance: Floats, matrix: Matrix) -> Floats:
    """Variance of each ability that comes from its items' errors, by the delta method; (configurations,)."""
    a, n, k = np.exp(state.alpha), matrix.samples, matrix.passes
    slope = a * theta[:, None]
    p = expit(slope + state.c)
    told = n * p * (1 - p)
    # The ability solves sum a (k - n p) = its prior's pull; how the left side moves with alpha and with c.
    moved = np.stack([a * (k - n * p) - told * a * slope, -told * a])
    spread: Floats = np.einsum("xpi,xyi,ypi->p", moved, covariance, moved)
    return spread * variance**2
