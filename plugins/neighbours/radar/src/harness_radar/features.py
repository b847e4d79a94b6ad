"""From an item's text to its parameters, for items that nobody ran.

The paper predicts `a` and `b` linearly from a frozen embedding of the query. Here the features are counted
from the text itself (`harness_difficulty.text`), so that nothing has to be downloaded. They know far less
than an embedding does, and the predictor says how little: its standard errors are those of items that were
left out while it was fitted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from harness.contract import DataError
from harness.readout.outcomes import rows_of
from harness.statistics.irt import Item, Items, Scale, common
from harness_difficulty.text import features

from harness_radar.choosing import Floats

#: Penalties of the ridge regression that are tried, per item.
PENALTIES: Final = tuple(10.0**x for x in np.linspace(-2, 4, 13))
#: Fewest items that a predictor is fitted to.
FEWEST: Final = 10


@dataclass(frozen=True, slots=True)
class Line:
    """A linear prediction: weights for standardised features, shape (features,)."""

    intercept: float
    weights: tuple[float, ...]
    #: Standard deviation of what it misses, for items that it was not fitted to.
    sd: float
    #: Share of the variance that it predicts of items that it was not fitted to; below 0 it predicts nothing.
    r2: float


@dataclass(frozen=True, slots=True)
class Predictor:
    """Predicts b and log a of an item from its text."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    b: Line
    log_a: Line

    def __call__(self, text: str) -> tuple[float, float, float, float]:
        """(b, its standard error, log a, its standard error)."""
        x = (features(text) - np.array(self.mean)) / np.array(self.scale)
        b, log_a = (line.intercept + float(x @ np.array(line.weights)) for line in (self.b, self.log_a))
        return b, self.b.sd, log_a, self.log_a.sd


@dataclass(frozen=True, slots=True)
class TextScale(Scale):
    """A scale that says what an item is expected to be that is not on it. In the same file, which other
    readers take as a scale."""

    #: From an item's text to its parameters.
    predictor: Predictor | None = None

    def predicted(self, text: str) -> Item:
        """The item that a text is expected to be; without a predictor, what all fitted items have in common.

        Raises:
            DataError: the scale has neither.
        """
        if self.predictor is None:
            if self.prior is None:
                raise DataError(
                    "nothing is known of items that are not on the scale: it was made by hand",
                    hint="fit it: harness irt fit; staged-harness-radar/radar texts then predicts by text",
                )
            return common(self.prior)
        b, b_se, log_a, log_a_se = self.predictor(text)
        a = float(np.exp(log_a))
        return Item(a, b, a * log_a_se, b_se)


def texts_of(path: Path) -> dict[str, str]:
    """Texts of items, from a jsonl file with `id` (or `item`) and `problem` (or `text`, `prompt`).

    Raises:
        DataError: no such file, or a row without them.
    """
    texts = {}
    for where, row in rows_of(path):
        name = row.get("item", row.get("id"))
        text = row.get("text", row.get("problem", row.get("prompt")))
        if name is None or not isinstance(text, str):
            raise DataError(f"a row with {sorted(row)}", where=where, allowed="id and problem")
        texts[str(name)] = text
    return texts


def fit_predictor(items: Items, texts: Mapping[str, str]) -> Predictor:
    """Ridge regressions of b and log a on the features of the items that have a text.

    Raises:
        DataError: fewer than ten items have a text.
    """
    rows = [i for i, name in enumerate(items.names) if name in texts]
    if len(rows) < FEWEST:
        raise DataError(
            f"{len(rows)} of {len(items)} items have a text", where="features",
            allowed=f"at least {FEWEST}", hint="check that the texts stand under the items' own names",
        )  # fmt: skip
    known = items.take(rows)
    x = np.stack([features(texts[name]) for name in known.names])
    mean, scale = x.mean(0), np.where(x.std(0) > 0, x.std(0), 1.0)
    z = (x - mean) / scale
    return Predictor(_floats(mean), _floats(scale), _ridge(z, known.b), _ridge(z, np.log(known.a)))


def _ridge(x: Floats, y: Floats) -> Line:
    """The regression whose penalty misses least when each item is left out in turn (in closed form: Golub,
    Heath and Wahba 1979)."""
    centre = float(y.mean())
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    best: tuple[float, float] | None = None
    for penalty in PENALTIES:
        shrink = s**2 / (s**2 + penalty * len(y) / 10)
        hat = (u**2 * shrink).sum(1) + 1 / len(y)
        left_out = (y - centre - u @ (shrink * (u.T @ (y - centre)))) / np.maximum(1 - hat, 1e-3)
        missed = float((left_out**2).mean())
        if best is None or missed < best[0]:
            best = (missed, penalty)
    assert best is not None
    missed, penalty = best
    weights = vt.T @ (s / (s**2 + penalty * len(y) / 10) * (u.T @ (y - centre)))
    variance = float(y.var()) or 1.0
    return Line(centre, _floats(weights), missed**0.5, 1 - missed / variance)


def _floats(values: Floats | Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
