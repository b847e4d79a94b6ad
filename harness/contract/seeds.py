"""Randomness that depends on a key alone, never on order.

Every random number of a run is a function of a key (which run, phase, stage, step, task and
sample), so that a resumed run, a different batch size or a parallel worker draws the same ones.
`uniforms` is counter-based: number `position` of a stream costs no state and vectorises over rows.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def seed_of(*parts: object) -> int:
    """A 63-bit seed from any printable parts; the same parts give the same seed on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(*parts: object) -> np.random.Generator:
    """A numpy generator seeded by `seed_of(*parts)`."""
    return np.random.Generator(np.random.PCG64(seed_of(*parts)))


def uniforms(seeds: npt.NDArray[np.uint64], position: int | npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Number `position` of each stream, uniform in [0, 1). Shapes: `seeds` (rows,), result (rows,).

    SplitMix64 (Steele, Lea and Flood 2014): state `seed + (position + 1) * golden`, then its mixer.
    """
    with np.errstate(over="ignore"):
        mixed = seeds.astype(np.uint64) + (np.asarray(position, dtype=np.uint64) + np.uint64(1)) * _GOLDEN
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
        mixed ^= mixed >> np.uint64(31)
    numbers: npt.NDArray[np.float64] = (mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53)
    return numbers
