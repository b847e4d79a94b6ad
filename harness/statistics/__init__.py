"""Scores and how sure they are.

Two kinds of uncertainty come with every score and are never mixed: **rerun** (the same problems,
new samples) and **benchmark** (the problems themselves as a sample of such problems). A third,
**seeds**, says how much a recipe's result moves when training is repeated. Differences are tested
paired by problem, and what a test cannot separate is a tie.
"""

from harness.statistics.estimators import avg_at_k, g_pass_at_k, maj_at_k, mg_pass_at_k, pass_at_k
from harness.statistics.intervals import Interval, Score, beta, score_counts, score_samples, wilson
from harness.statistics.paired import Comparison, Flip, compare, sign_flip_p
from harness.statistics.seeds import Passage, Spread, detectable_over_seeds, first_passage, spread, welch_p

__all__ = [
    "Comparison",
    "Flip",
    "Interval",
    "Passage",
    "Score",
    "Spread",
    "avg_at_k",
    "beta",
    "compare",
    "detectable_over_seeds",
    "first_passage",
    "g_pass_at_k",
    "maj_at_k",
    "mg_pass_at_k",
    "pass_at_k",
    "score_counts",
    "score_samples",
    "sign_flip_p",
    "spread",
    "welch_p",
    "wilson",
]
