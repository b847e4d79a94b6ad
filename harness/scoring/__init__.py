"""Streaming verification: verdicts that cannot hang, leak or turn into a silent 0.

A verifier is named by plain data (`VerifierSpec`) and rebuilt wherever it judges: inline, when its
registration says `in_process` (it is bounded by construction), else in worker processes that can be
killed. See `pool` for the rules about deadlines, stragglers and deaths.
"""

from harness.scoring.room import Room
from harness.scoring.scorer import Scorer
from harness.scoring.spec import VerifierSpec

__all__ = ["Room", "Scorer", "VerifierSpec"]
