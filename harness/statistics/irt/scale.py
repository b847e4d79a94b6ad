"""A scale: items and abilities that were fitted once, in a file that estimators, routers and evaluations
share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from harness.contract.errors import DataError, near
from harness.contract.records import decode, encode
from harness.statistics.irt.fitting import Fitted, Prior
from harness.statistics.irt.twopl import Items

S = TypeVar("S", bound="Scale")

FORMAT: Final = 1
GAUGE: Final = "abilities of the fitted configurations have mean 0 and standard deviation 1; a > 0"


@dataclass(frozen=True, slots=True)
class Item:
    """One item: discrimination `a`, difficulty `b`, and their standard errors; 0 if they are given as
    exact."""

    a: float
    b: float
    a_se: float = 0.0
    b_se: float = 0.0


@dataclass(frozen=True, slots=True)
class Ability:
    """One configuration."""

    theta: float
    se: float
    #: Mean tokens generated per sample, None if nobody counted.
    tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """Items and configurations in one gauge. A class derived from it may keep more in the same file: what a
    reader does not know it passes over."""

    items: dict[str, Item]
    configurations: dict[str, Ability] = field(default_factory=dict)
    #: What the fitted items have in common; None if the items are given and not fitted.
    prior: Prior | None = None
    gauge: str = GAUGE
    format: int = FORMAT

    def items_of(self, names: Sequence[str]) -> Items:
        """The parameters of these items, in this order; raises DataError for one that is not on the scale."""
        for name in names:
            if name not in self.items:
                raise DataError(f"item {name!r} is not on the scale", allowed=near(name, self.items))
        rows = [self.items[name] for name in names]
        columns = np.array([(r.a, r.b, r.a_se, r.b_se) for r in rows]).reshape(len(rows), 4).T
        return Items(tuple(names), *columns)


def common(prior: Prior) -> Item:
    """The item of which nothing is known but that it is one of these."""
    a = float(np.exp(prior.log_a))
    return Item(a, prior.b, a * prior.log_a_sd, prior.logit_sd / a)


def scale_of(fitted: Fitted, tokens: Mapping[str, float] | None = None) -> Scale:
    """The scale of a fit.

    Args:
        fitted: the fit.
        tokens: mean tokens generated per sample, by configuration.
    """
    rows = zip(fitted.items.a, fitted.items.b, fitted.items.a_se, fitted.items.b_se, strict=True)
    items = {name: Item(*(float(x) for x in row)) for name, row in zip(fitted.items.names, rows, strict=True)}
    spent = tokens or {}
    abilities = zip(fitted.configurations, fitted.theta, fitted.theta_se, strict=True)
    known = {name: Ability(float(t), float(se), spent.get(name)) for name, t, se in abilities}
    return Scale(items, known, fitted.prior)


def write_scale(scale: Scale, path: Path) -> None:
    """Write a scale as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(scale) + b"\n")


def read_scale(path: Path, kind: type[S] = Scale) -> S:  # type: ignore[assignment]
    """Read what `write_scale` wrote.

    Args:
        path: of the file.
        kind: `Scale`, or a class derived from it that keeps more.

    Raises:
        DataError: no such file, not a scale, or an item whose discrimination is not above 0.
    """
    if not path.is_file():
        raise DataError("no such scale", where=str(path), hint="make one: harness irt fit --help")
    scale = decode(path.read_bytes(), kind, where=str(path))
    if scale.format != FORMAT:
        raise DataError(f"format {scale.format}", where=str(path), allowed=f"format {FORMAT}")
    for name, item in scale.items.items():
        if not (item.a > 0 and np.isfinite([item.a, item.b]).all() and min(item.a_se, item.b_se) >= 0):
            raise DataError(
                f"item {name!r} has a = {item.a!r}, b = {item.b!r}", where=str(path),
                allowed="a > 0, and standard errors of 0 or more",
            )  # fmt: skip
    return scale
