"""What a tracker must offer: it shows a run's numbers in TensorBoard, MLflow or the like while they are made.

The ledger stays the record. A tracker works in a thread of its own and hears of each number after it is in
the ledger; one that raises, hangs or cannot be reached is dropped with a line in the run's log, and the run
goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from harness.contract.protocols import RunInfo


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """A run as its trackers are told of it."""

    info: RunInfo
    #: Identity of the run, kept in its folder: 32 hex digits, the same whenever it is resumed.
    id: str
    #: Training steps that stand, counted over all stages. Later ones, if a tracker has any, are done again.
    steps: int
    #: What distinguishes the run in a table: recipe, arm, seed, model, trainer.
    facts: Mapping[str, str | int]


class Tracker(Protocol):
    """Shows the numbers of one run. All methods are called from one thread, one after the other."""

    def start(self, run: TrackedRun) -> None:
        """Open the tracker's run of this id; go on in it if it is there from before."""
        ...

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Show values at a training step, counted over all stages; 0 is before the first one.

        A step may come several times: with its metrics, and with evaluations after it.
        """
        ...

    def close(self, *, finished: bool) -> None:
        """Write out what is left; `finished` says whether the run is done."""
        ...
