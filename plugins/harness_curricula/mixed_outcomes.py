"""Gate `mixed-outcomes`: dynamic sampling, as in DAPO (arXiv 2503.14476).

A group whose rewards are all equal has no group-normalised advantage and so no gradient. The session
discards it and draws again, at most `max_refills` times per step. Rewards decide, as shapers left them:
what a shaper makes of the advantages changes nothing here. Leave the gate out beside a shaper that is to
learn from groups of alike rewards.
"""

from __future__ import annotations

from harness.contract import BuildContext, Group
from harness_curricula.options import MixedOutcomesOptions


class MixedOutcomes:
    """Keeps groups whose rewards differ, whatever their advantages."""

    def __init__(self, options: MixedOutcomesOptions, context: BuildContext | None = None) -> None:
        #: How many times a step may draw again; the session reads this.
        self.max_refills = options.max_refills

    def keep(self, group: Group) -> bool:
        return group.mixed
