"""The two-parameter logistic model of item response theory: its fit, the placing of a model, scales.

`matrix_of` makes outcomes of models or checkpoints on items a matrix, `fit` finds abilities and items with
standard errors, `scale_of` keeps them in a file, and `place` and `next_items` find where another model stands
by few items. One gauge throughout: the fitted abilities have mean 0 and standard deviation 1, a > 0, no
factor 1.7.
"""

from harness.statistics.irt.fitting import Fitted, Prior, fit
from harness.statistics.irt.matrix import Matrix, Outcomes, matrix_of
from harness.statistics.irt.placing import Placement, blurred, informative, next_items, place
from harness.statistics.irt.scale import (
    Ability,
    Item,
    Scale,
    common,
    read_scale,
    scale_of,
    write_scale,
)
from harness.statistics.irt.twopl import Items, information, log_likelihood, passing

__all__ = [
    "Ability",
    "Fitted",
    "Item",
    "Items",
    "Matrix",
    "Outcomes",
    "Placement",
    "Prior",
    "Scale",
    "blurred",
    "common",
    "fit",
    "information",
    "informative",
    "log_likelihood",
    "matrix_of",
    "next_items",
    "passing",
    "place",
    "read_scale",
    "scale_of",
    "write_scale",
]
