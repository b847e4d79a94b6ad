"""What an evaluation has generated so far, read off its ledger while another process writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from harness.benchmarking.suite import Price
from harness.recording.shapes import LineDecoder

#: Prices are per so many tokens.
MILLION: Final = 1_000_000


class _Sample(msgspec.Struct):
    t: str
    tokens: int = 0
    prompt_tokens: int = 0


_DECODER: Final = LineDecoder(_Sample)
_MARK: Final = b'"sample"'


@dataclass(slots=True)
class Meter:
    """Samples and tokens of one ledger; `read` takes what has been appended."""

    ledger: Path
    samples: int = 0
    #: Completion tokens, and prompt tokens of all requests.
    tokens: int = 0
    prompt_tokens: int = 0
    _at: int = field(default=0, repr=False)

    def read(self) -> None:
        """Take in the lines that are complete by now; a ledger that is not there yet has none."""
        try:
            with self.ledger.open("rb") as file:
                file.seek(self._at)
                new = file.read()
        except FileNotFoundError:
            return
        whole = new.rfind(b"\n") + 1
        self._at += whole
        for line in new[:whole].splitlines():
            if _MARK not in line:
                continue
            sample = _DECODER.decode(line)
            if sample.t == "sample":
                self.samples += 1
                self.tokens += sample.tokens
                self.prompt_tokens += sample.prompt_tokens

    def cost(self, price: Price | None, hours: float = 0.0) -> float:
        """What it cost by an engine's price.

        Args:
            hours: for which it was under way.
        """
        if price is None:
            return 0.0
        tokens = self.prompt_tokens * price.input + self.tokens * price.output
        return tokens / MILLION + hours * price.hour
