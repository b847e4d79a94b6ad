"""The latency model of a server: how long an answer is, and how long it takes token by token.

    tokens  log-normal, cut at `most` tokens (the answer then ends with `length`)
    seconds prefill + tokens * seconds per token, both log-normal, once for each answer

Lengths are drawn from the prompt and the request's seed, so that every server gives the same answer to a
request, however often it is asked. Speeds are drawn anew at each call.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Medians and spreads (standard deviations of the logarithm). Seconds are those of a real server; a
    stand-in waits for a `compress`-th of them."""

    #: Tokens of an answer.
    tokens: float = 4000.0
    tokens_spread: float = 0.7
    most: int = 32768
    #: Seconds until the first token, and for each further one.
    prefill: float = 0.4
    prefill_spread: float = 0.4
    token: float = 0.020
    token_spread: float = 0.25
    #: Answers that a server gives side by side at these speeds; more wait there.
    slots: int = 4
    compress: float = 20.0

    def length(self, draw: random.Random) -> int:
        """Tokens of an answer, at most `most`."""
        return min(max(int(self.tokens * math.exp(self.tokens_spread * draw.gauss(0, 1))), 64), self.most)

    def seconds(self, tokens: int, draw: random.Random) -> float:
        """Seconds that a stand-in waits, before anything slows it down."""
        prefill = self.prefill * math.exp(self.prefill_spread * draw.gauss(0, 1))
        token = self.token * math.exp(self.token_spread * draw.gauss(0, 1))
        return (prefill + tokens * token) / self.compress

    def expected(self, tokens: int) -> float:
        """The mean of `seconds`."""
        prefill = self.prefill * math.exp(self.prefill_spread**2 / 2)
        token = self.token * math.exp(self.token_spread**2 / 2)
        return (prefill + tokens * token) / self.compress

    def rate(self, slowness: Iterable[float]) -> float:
        """Tokens per second that servers deliver if they are never idle, in the stand-ins' time.

        Args:
            slowness: for each server, how many times as long as the model says it takes.
        """
        draw = random.Random(0)
        lengths = [self.length(draw) for _ in range(20_000)]
        each = self.slots * fmean(lengths) / fmean(map(self.expected, lengths))
        return sum(each / slow for slow in slowness)

    def __str__(self) -> str:
        return (
            f"answers of {self.tokens:g} tokens (log-normal, spread {self.tokens_spread:g}, cut at "
            f"{self.most})"
            f"; prefill {1e3 * self.prefill:g} ms (spread {self.prefill_spread:g}), then "
            f"{1e3 * self.token:g} ms per token (spread {self.token_spread:g}, one draw an answer); "
            f"{self.slots} answers at once per server; time compressed {self.compress:g} times"
        )


def drawn(prompt: str, seed: int) -> random.Random:
    """What an answer is drawn from: the same for the same request at every server."""
    return random.Random(hashlib.sha256(f"{prompt}/{seed}".encode()).digest())
