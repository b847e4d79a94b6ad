"""What is counted in a text, for predictors that have to do without an embedding.

Lengths, digits, symbols, and words hashed into buckets (Weinberger et al. 2009, ICML: feature hashing, with a
sign per word so that collisions cancel in the mean). Nothing has to be downloaded, and a text has the same
features on every machine. They know far less than an embedding does; a predictor on them must say how little.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import Final

import numpy as np

from harness_difficulty.density import Floats

#: Buckets of hashed words.
BUCKETS: Final = 64
#: Numbers that stand before them: characters, words, numbers, symbols, lines, and digits of the longest
#: number, each as log(1 + count).
COUNTED: Final = 6
WORD: Final = re.compile(r"[a-zA-Z]{2,}|\d+|[^\sa-zA-Z\d]")


def features(text: str) -> Floats:
    """What is counted in a text, shape (COUNTED + BUCKETS,). Any text has features, the empty one and half a
    character of UTF-16 among them."""
    words = WORD.findall(text)
    numbers = [word for word in words if word.isdigit()]
    symbols = sum(not word[0].isalnum() for word in words)
    counts = [
        len(text),
        len(words),
        len(numbers),
        symbols,
        text.count("\n"),
        max(map(len, numbers), default=0),
    ]
    buckets = np.zeros(BUCKETS)
    for word in words:
        number = _hashed(word.lower())
        buckets[number % BUCKETS] += 1 if number >> 31 else -1
    return np.concatenate([np.log1p(np.array(counts, dtype=float)), buckets / np.sqrt(max(1, len(words)))])


@lru_cache(maxsize=1 << 16)
def _hashed(word: str) -> int:
    """A number below 2^32."""
    code = hashlib.blake2b(word.encode(errors="replace"), digest_size=4).digest()
    return int.from_bytes(code, "little")
