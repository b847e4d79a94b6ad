"""A gate: is B worse than A by more than a margin, on the problems that both have?

The question is of these problems with new samples: only then do more samples per problem bring an answer
nearer. The difference of the two means has the rerun variances of both (`intervals`), and the interval of it
lies above the margin, below it, or across it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final, Literal

from scipy import special

from harness.statistics.intervals import Interval, score_counts
from harness.statistics.paired import Counted

Answer = Literal["worse", "not worse", "not enough samples"]
#: More samples per problem than this are no advice.
MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Gate:
    """What the gate says of one benchmark."""

    answer: Answer
    #: B minus A, in [-1, 1], with its rerun interval.
    difference: float
    interval: Interval
    #: The largest loss that is let through, in [0, 1).
    margin: float
    problems: int
    #: Samples per problem that the side with fewer has.
    samples: int
    #: Samples per problem, of both, that would decide it 4 times in 5 if the difference is what it seems;
    #: None if it is decided, or if the difference lies so near the margin that no number would do.
    needed: int | None = None


def gate(a: Counted, b: Counted, margin: float, *, level: float = 0.95, power: float = 0.8) -> Gate:
    """Hold b against a.

    Args:
        a, b: problem -> (passes, samples).
        margin: in [0, 1): b may be this much worse.
        level: of the two-sided interval.
        power: of the number of samples that is advised.

    Raises:
        ValueError: no problem is in both, or the margin is not in [0, 1).
    """
    if not 0 <= margin < 1:
        raise ValueError(f"the margin must be in [0, 1), not {margin}")
    common = sorted(a.keys() & b.keys())
    if not common:
        raise ValueError("no problem is in both results, so they cannot be paired")
    scores = [score_counts([s[p][0] for p in common], [s[p][1] for p in common]) for s in (a, b)]
    difference = scores[1].value - scores[0].value
    se = sqrt(sum(score.rerun.se**2 for score in scores))
    z = float(special.ndtri((1 + level) / 2))
    interval = Interval(
        max(difference - z * se, -1.0), min(difference + z * se, 1.0), se, "normal, rerun variances", level
    )
    fewest = int(min(side[p][1] for side in (a, b) for p in common))
    distance = abs(difference + margin)
    if difference - z * se > -margin:
        return Gate("not worse", difference, interval, margin, len(common), fewest)
    if difference + z * se < -margin:
        return Gate("worse", difference, interval, margin, len(common), fewest)
    times = ((z + float(special.ndtri(power))) * se / distance) ** 2 if distance > 1e-9 else float("inf")
    needed = fewest * times
    return Gate(
        "not enough samples", difference, interval, margin, len(common), fewest,
        max(ceil(needed), fewest + 1) if needed <= MOST else None,
    )  # fmt: skip
