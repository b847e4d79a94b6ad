"""A deadline for a stage, and an end to waiting: named errors instead of a hang.

Time never decides what is trained (budgets are counted, see `harness.recording.spending`); it only
decides when to give up. The alarm of the operating system interrupts whatever the main thread waits
for: a server that does not answer, a child that does not end, a collective that lost a peer. The stage
goes on from its last checkpoint when the run is started again.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Final

from harness.contract.errors import TrainingError

#: The alarm rings again after so many seconds, in case a library swallowed the first error.
AGAIN: Final = 5.0


class TimeUp(TrainingError):
    """A limit of time is over. Whoever knows what was waited for may say so in a TrainingError of its own."""


class Watchdog:
    """Within its block, raises TimeUp in the main thread when time is up.

    Args:
        what: names the block in errors, such as "stage 's'".
        stage_seconds: longest duration of the block; None is without end.
        stall_seconds: longest time between two calls of `progress`; None is without end.

    Raises:
        TrainingError: on entering, outside the main thread, which alone gets signals.
    """

    def __init__(self, what: str, *, stage_seconds: float | None, stall_seconds: float | None) -> None:
        self.what, self.stage_seconds, self.stall_seconds = what, stage_seconds, stall_seconds
        self._started = self._moved = 0.0
        self._did = "it started"
        self._silent = False
        self._before: Any = None
        #: An alarm that somebody had set before: seconds left, and its interval.
        self._outer = (0.0, 0.0)

    @property
    def armed(self) -> bool:
        return self.stage_seconds is not None or self.stall_seconds is not None

    def progress(self, did: str) -> None:
        """Something was achieved; it is named when nothing follows."""
        if self.armed and self._started:
            self._moved, self._did = time.monotonic(), did
            self._arm()

    def __enter__(self) -> Watchdog:
        if self.armed:
            if threading.current_thread() is not threading.main_thread():
                raise TrainingError(
                    "stage_seconds and stall_seconds need the main thread",
                    where=f"{self.what}, resources",
                    hint="leave them out here",
                )
            self._started = self._moved = time.monotonic()
            self._silent = False
            self._outer = signal.getitimer(signal.ITIMER_REAL)
            self._before = signal.signal(signal.SIGALRM, self._ring)
            self._arm()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.armed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)
            left, interval = self._outer
            if left:
                spent = time.monotonic() - self._started
                signal.setitimer(signal.ITIMER_REAL, max(0.001, left - spent), interval)
            self._started = 0.0

    def silence(self) -> None:
        """Raise nothing more until the block is left."""
        self._silent = True

    def _arm(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, max(0.001, min(self._left())), AGAIN)

    def _left(self) -> tuple[float, float]:
        """Seconds until the deadline, and until the stall."""
        now, never = time.monotonic(), float("inf")
        stage = never if self.stage_seconds is None else self._started + self.stage_seconds - now
        stall = never if self.stall_seconds is None else self._moved + self.stall_seconds - now
        return stage, stall

    def _ring(self, number: int, frame: FrameType | None) -> None:
        if self._silent:
            return
        stage, stall = self._left()
        hint = "harness run --resume goes on from the last checkpoint; raise the limit if work is only slow"
        if stage <= 0.002:
            raise TimeUp(
                f"{self.what} took longer than {self.stage_seconds:g} s; last, {self._did}",
                where="resources.stage_seconds",
                hint=hint,
            )
        if stall <= 0.002:
            raise TimeUp(
                f"{self.what} made no progress for {self.stall_seconds:g} s; last, {self._did}",
                where="resources.stall_seconds",
                hint=hint,
            )
        self._arm()


def silence() -> None:
    """Switch off the watchdog whose block this is called in; without one, nothing happens.

    For who cleans up after an error that is on its way out of the block: an alarm meanwhile would take the
    error's place, and with it what the error says.
    """
    watchdog = getattr(signal.getsignal(signal.SIGALRM), "__self__", None)
    if isinstance(watchdog, Watchdog):
        watchdog.silence()
