"""Scores and how sure they are.

Two kinds of uncertainty come with every score and are never mixed: **rerun** (the same problems,
new samples) and **benchmark** (the problems themselves as a sample of such problems). A third,
**seeds**, says how much a recipe's result moves when training is repeated. Differences are tested
paired by problem, and what a test cannot separate is a tie.
"""

from harness.statistics.crossing import Crossing, area, crossing
from harness.statistics.factorial import Effects, two_by_two
from harness.statistics.intervals import (
    Interval,
    Score,
    beta,
    over_problems,
    score_counts,
    score_samples,
    wilson,
)
from harness.statistics.paired import Comparison, Flip, compare, sign_flip_p
from harness.statistics.pass_at_k import avg_at_k, g_pass_at_k, maj_at_k, mg_pass_at_k, pass_at_k
from harness.statistics.passes import PassAt, pass_curve
from harness.statistics.ratios import ENOUGH, Ratio, median_ratio
from harness.statistics.seeds import Passage, Spread, detectable_over_seeds, first_passage, spread, welch_p
from harness.statistics.votes import united

__all__ = [
    "ENOUGH",
    "Comparison",
    "Crossing",
    "Effects",
    "Flip",
    "Interval",
    "PassAt",
    "Passage",
    "Ratio",
    "Score",
    "Spread",
    "area",
    "avg_at_k",
    "beta",
    "compare",
    "crossing",
    "detectable_over_seeds",
    "first_passage",
    "g_pass_at_k",
    "irt",  # a package, imported when it is asked for
    "maj_at_k",
    "median_ratio",
    "mg_pass_at_k",
    "over_problems",
    "pass_at_k",
    "pass_curve",
    "score_counts",
    "score_samples",
    "sign_flip_p",
    "spread",
    "two_by_two",
    "united",
    "welch_p",
    "wilson",
]
