"""Evidence shared between neighbours: an outcome of one stratum says something about those beside it."""

from __future__ import annotations

from collections.abc import Sequence

#: Pools whose order is remembered; far above the parts of any mixture.
_REMEMBERED = 64


class Sharing:
    """The neighbours of subjects in the order of the pools that were seen. It has no state to keep: a pool is
    seen before anything of it is observed.

    Args:
        share: weight of an outcome for each of the two neighbours, in [0, 1]; 0 switches sharing off.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        # The lists themselves are kept beside their positions, so that no other list can get their id().
        self._pools: dict[int, tuple[Sequence[str], dict[str, int]]] = {}

    def sees(self, subjects: Sequence[str]) -> None:
        """Remember the order of a pool's subjects."""
        if self._share and id(subjects) not in self._pools:
            if len(self._pools) >= _REMEMBERED:
                self._pools.clear()
            self._pools[id(subjects)] = (subjects, {subject: i for i, subject in enumerate(subjects)})

    def weights(self, subject: str) -> list[tuple[str, float]]:
        """Whom an outcome of the subject is evidence about, with its weight: itself with 1, and
        neighbours."""
        weighed = {subject: 1.0}
        for subjects, positions in self._pools.values():
            at = positions.get(subject)
            if at is not None:
                for i in (at - 1, at + 1):
                    if 0 <= i < len(subjects):
                        weighed.setdefault(subjects[i], self._share)
        return list(weighed.items())
