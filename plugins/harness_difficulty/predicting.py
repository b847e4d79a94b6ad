"""A learned predictor of a prompt's pass rate: what PCL calls a value model, on features of the text.

A Bayesian logistic regression. Of prompts with features x the pass rates have the mean p = 1 / (1 +
exp(-w x)) and the variance r p (1 - p): w is normal, by its mean and its precision, and r is how much prompts
differ that look alike (0: not at all). Passes and samples of prompts move w to the mode of its posterior
(Laplace's approximation), where n samples of one prompt count as n / (1 + r (n - 1)) (Williams 1982, Applied
Statistics 31, 144, model II). r itself comes from how far rates were from what was predicted before they were
seen.

The policy moves on, so what is known fades: the precision goes back towards the prior's by a share each time
(stabilised forgetting: Kulhavy and Zarrop 1993, International Journal of Control 58, 905), and the mean
stays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.special import expit

from harness.contract import Message
from harness_difficulty.density import Floats
from harness_difficulty.text import BUCKETS, COUNTED, features

#: Numbers of a prompt: those of its text, and a 1.
WIDTH: Final = COUNTED + BUCKETS + 1
#: Deviation of a weight before anything is known: a factor e in a count moves the logit by so much.
PRIOR_SD: Final = 1.0
#: Newton steps towards the mode end at a move below this, and after so many.
SETTLED: Final = 1e-8
STEPS: Final = 50
#: What r is before anything is known, and how many prompts that is worth.
APART: Final = 0.25
APART_PROMPTS: Final = 8.0
#: Rates say something of r only where the weights are known so well: the variance of w x in logits.
KNOWN: Final = 1.0
#: Points of the Gauss-Hermite rule over the logit.
POINTS: Final = 15


@dataclass(frozen=True, slots=True)
class Rates:
    """Predicted pass rates with their standard errors, shapes (prompts,)."""

    mean: Floats
    sd: Floats


def read(prompts: Sequence[Sequence[Message]]) -> Floats:
    """What the predictor sees of prompts, by the contents of their turns; shape (prompts, WIDTH)."""
    rows = np.ones((len(prompts), WIDTH))
    for row, prompt in zip(rows, prompts, strict=True):
        row[1:] = features("\n".join(message.content for message in prompt))
    return rows


class Predictor:
    """Predicts pass rates of prompts, and learns from their outcomes."""

    def __init__(self) -> None:
        self._prior: Floats = np.eye(WIDTH) / PRIOR_SD**2
        self._mean: Floats = np.zeros(WIDTH)
        self._precision: Floats = self._prior.copy()
        #: Sums behind r: squared misses without what sampling and the weights explain, and what they would be
        #: for r = 1.
        self._missed, self._most = 0.0, 0.0

    @property
    def apart(self) -> float:
        """r: how much prompts differ that look alike, as a share of the greatest variance p (1 - p)."""
        whole = APART_PROMPTS / 4
        return min(0.99, max(0.0, (self._missed + APART * whole) / (self._most + whole)))

    def __call__(self, seen: Floats) -> Rates:
        """Predicted pass rates.

        Args:
            seen: prompts as `read` gives them, shape (prompts, WIDTH).
        """
        mean, variance = self._marginal(seen, self._doubt(seen))
        # Of p (1 - p) the mean is what doubt of p leaves of it.
        return Rates(mean, np.sqrt(variance + self.apart * np.maximum(0.0, mean * (1 - mean) - variance)))

    def learn(self, seen: Floats, passes: Floats, samples: Floats) -> None:
        """Take outcomes of prompts in.

        Args:
            seen: prompts as `read` gives them, shape (prompts, WIDTH).
            passes: of each, shape (prompts,).
            samples: of each, shape (prompts,); prompts without any say nothing.
        """
        run = samples > 0
        seen, passes, samples = seen[run], passes[run], samples[run]
        if not len(seen):
            return
        self._compare(seen, passes / samples, samples)
        weight = 1 / (1 + self.apart * (samples - 1))
        self._move(seen, weight * passes, weight * samples)

    def fade(self, memory: float) -> None:
        """Keep this share of what is known."""
        self._precision = memory * self._precision + (1 - memory) * self._prior
        self._missed, self._most = memory * self._missed, memory * self._most

    def _doubt(self, seen: Floats) -> Floats:
        """Variance of w x, shape (prompts,)."""
        doubt: Floats = np.einsum("pi,ip->p", seen, np.linalg.solve(self._precision, seen.T))
        return doubt

    def _marginal(self, seen: Floats, doubt: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of p over what is possible for the weights, shapes (prompts,)."""
        at, weight = np.polynomial.hermite_e.hermegauss(POINTS)
        weight = weight / weight.sum()
        rates = expit((seen @ self._mean)[:, None] + np.sqrt(doubt)[:, None] * at)
        mean = rates @ weight
        return mean, np.maximum(0.0, rates**2 @ weight - mean**2)

    def _compare(self, seen: Floats, rates: Floats, samples: Floats) -> None:
        """Hold what would have been told against what came."""
        doubt = self._doubt(seen)
        mean, variance = self._marginal(seen, doubt)
        spread = mean * (1 - mean) - variance
        known = doubt <= KNOWN
        self._missed += float(((rates - mean) ** 2 - variance - spread / samples)[known].sum())
        self._most += float((spread * (1 - 1 / samples))[known].sum())

    def _move(self, seen: Floats, passes: Floats, samples: Floats) -> None:
        """To the mode of the posterior. Its logarithm is concave, so that halved Newton steps get there."""
        start, firm = self._mean, self._precision

        def height(w: Floats) -> float:
            logits, apart = seen @ w, w - start
            fits = passes @ logits - samples @ np.logaddexp(0, logits)
            return float(fits - apart @ firm @ apart / 2)

        w, best = start, height(start)
        for _ in range(STEPS):
            p = expit(seen @ w)
            curve = firm + (seen.T * (samples * p * (1 - p))) @ seen
            step = np.linalg.solve(curve, seen.T @ (passes - samples * p) - firm @ (w - start))
            while (now := height(w + step)) < best and np.abs(step).max() > SETTLED:
                step = step / 2
            if now < best:
                break
            w, best = w + step, now
            if np.abs(step).max() <= SETTLED:
                break
        p = expit(seen @ w)
        curve = firm + (seen.T * (samples * p * (1 - p))) @ seen
        self._mean = w
        # Symmetric to the last bit, so that a state that went through its upper triangle is the same.
        self._precision = np.triu(curve) + np.triu(curve, 1).T

    def copy(self) -> Predictor:
        """Another one that knows the same."""
        made = Predictor()
        made._mean, made._precision = self._mean, self._precision
        made._missed, made._most = self._missed, self._most
        return made

    def state_dict(self) -> dict[str, Any]:
        """Mean and precision (its upper triangle, row by row) of the weights, and the sums behind r."""
        upper = self._precision[np.triu_indices(WIDTH)]
        return {
            "mean": self._mean.tolist(), "precision": upper.tolist(), "apart": [self._missed, self._most]
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        self._mean = np.array(state["mean"], dtype=np.float64)
        upper = np.zeros((WIDTH, WIDTH))
        upper[np.triu_indices(WIDTH)] = state["precision"]
        self._precision = upper + np.triu(upper, 1).T
        self._missed, self._most = (float(value) for value in state["apart"])
