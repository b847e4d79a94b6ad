"""Gate `mixed-outcomes`: dynamic sampling, as in DAPO (arXiv 2503.14476).

A group whose rewards are all equal has no advantage and so no gradient. The session discards it and
draws again, at most `max_refills` times a step.
"""

from __future__ import annotations

from harness.protocols import BuildContext
from harness.records import Group
from harness_curricula.options import MixedOutcomesOptions


class MixedOutcomes:
    """Keeps groups whose rewards differ."""

    def __init__(self, options: MixedOutcomesOptions, context: BuildContext | None = None) -> None:
        #: How often a step may draw again; the session reads it.
        self.max_refills = options.max_refills

    def keep(self, group: Group) -> bool:
        return group.mixed
