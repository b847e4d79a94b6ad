"""The watchdog ends waiting with a named error, and leaves work that moves alone."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from harness.contract.errors import TrainingError
from harness.training.watchdog import Watchdog, silence


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


def test_a_deadline_interrupts_what_never_ends() -> None:
    watchdog = Watchdog("the work", stage_seconds=0.2, stall_seconds=None)
    with pytest.raises(TrainingError, match=r"stage_seconds: the work took longer than 0.2 s"), watchdog:
        time.sleep(30)


def test_a_deadline_holds_whatever_progress_there_is() -> None:
    watchdog = Watchdog("the work", stage_seconds=1, stall_seconds=60)

    def move() -> None:
        with watchdog:
            while True:
                spin(0.02)
                watchdog.progress("it moved")

    with pytest.raises(TrainingError, match=r"stage_seconds.*last, it moved"):
        move()


def test_a_stall_names_what_was_done_last() -> None:
    watchdog = Watchdog("the work", stage_seconds=30, stall_seconds=0.2)

    def stop() -> None:
        with watchdog:
            watchdog.progress("step 7 was finished")
            time.sleep(30)

    with pytest.raises(
        TrainingError, match=r"stall_seconds: the work made no progress for 0.2 s; last, step 7"
    ):
        stop()


def test_work_that_moves_is_left_alone() -> None:
    with Watchdog("the work", stage_seconds=None, stall_seconds=3) as watchdog:
        for _ in range(8):
            spin(0.5)
            watchdog.progress("it moved")


def test_a_child_that_does_not_end_is_no_longer_waited_for() -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        watchdog = Watchdog("the work", stage_seconds=None, stall_seconds=0.2)
        with pytest.raises(TrainingError, match="stall_seconds"), watchdog:
            child.wait()
    finally:
        child.kill()
        child.wait()


def test_who_cleans_up_after_an_error_may_silence_it() -> None:
    def fail() -> None:
        with Watchdog("the work", stage_seconds=0.1, stall_seconds=None):
            try:
                raise KeyError("the error")
            finally:
                silence()
                spin(0.2)
                signal.raise_signal(signal.SIGALRM)

    with pytest.raises(KeyError, match="the error"):
        fail()
    with pytest.raises(TrainingError), Watchdog("the next", stage_seconds=0.1, stall_seconds=None):
        time.sleep(30)


def test_silence_without_a_watchdog_changes_nothing() -> None:
    before = signal.getsignal(signal.SIGALRM)
    silence()
    assert signal.getsignal(signal.SIGALRM) == before


def test_it_leaves_no_alarm_and_no_handler_behind() -> None:
    before, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    with Watchdog("the work", stage_seconds=60, stall_seconds=60):
        assert signal.getsignal(signal.SIGALRM) != before
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL)[0] <= timer[0]


def test_an_alarm_that_was_set_before_rings_after_it() -> None:
    rung = []
    before, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    signal.signal(signal.SIGALRM, lambda number, frame: rung.append(number))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with Watchdog("the work", stage_seconds=60, stall_seconds=None):
            time.sleep(0.5)
            assert not rung
        spin(0.5)
        assert rung
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def test_without_limits_it_does_nothing_in_any_thread() -> None:
    done = []

    def work() -> None:
        with Watchdog("the work", stage_seconds=None, stall_seconds=None) as watchdog:
            watchdog.progress("it moved")
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


def test_limits_outside_the_main_thread_are_refused_and_not_ignored() -> None:
    errors = []

    def work() -> None:
        try:
            with Watchdog("the work", stage_seconds=1, stall_seconds=None):
                pass
        except TrainingError as error:
            errors.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "need the main thread" in errors[0]
