"""Verifiers that misbehave in every way that real ones have: for tests/scoring/test_scoring.py."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from harness.contract.protocols import BuildContext
from harness.contract.records import Rollout, Task, Verdict


class Scripted:
    """Does what the rollout's text says."""

    hash = "scripted-1"

    def __init__(self, options: Any, context: BuildContext) -> None:
        self.opened = False

    def open(self) -> None:
        self.opened = True

    def close(self) -> None:
        pass

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        assert self.opened
        verb, _, rest = rollout.text.partition(" ")
        extracted = getattr(self, verb)(rest)
        return Verdict(
            status="pass",
            score=1.0,
            verifier=task.verifier,
            verifier_hash=self.hash,
            extracted=str(extracted),
        )

    def echo(self, rest: str) -> str:
        return rest

    def pid(self, _rest: str) -> int:
        return os.getpid()

    def sleep(self, rest: str) -> str:
        time.sleep(float(rest))
        return rest

    def burn(self, rest: str) -> str:
        """So many seconds of CPU, all on the first of this process's cores."""
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        end = time.thread_time() + float(rest)
        while time.thread_time() < end:
            pass
        return rest

    def spin_in_c(self, _rest: str) -> str:
        # Never returns to the interpreter: no signal handler, no thread and no exception can stop it.
        re.match(r"(a+)+$", "a" * 64 + "b")
        return "never"

    def spin_with_signals_blocked(self, _rest: str) -> str:
        signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP})
        while True:
            pass

    def mark_and_hang(self, rest: str) -> str:
        Path(rest).touch()
        return self.spin_in_c("")

    def raise_error(self, rest: str) -> str:
        raise ValueError(rest)

    def exit(self, _rest: str) -> str:
        sys.exit(0)

    def hog(self, _rest: str) -> int:
        return len(bytearray(1 << 40))

    def segfault(self, _rest: str) -> int:
        return ctypes.string_at(0)[0]

    def die_once(self, rest: str) -> str:
        marker = Path(rest)
        if not marker.exists():
            marker.touch()
            os._exit(3)
        return "second try"

    def main_thread(self, _rest: str) -> bool:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        return threading.current_thread() is threading.main_thread()

    def chatter(self, _rest: str) -> str:
        print("this must not reach the driver's standard output")
        sys.stdout.flush()
        return "said"


class WrongType(Scripted):
    def verify(self, task: Task, rollout: Rollout) -> Any:
        return True


class WrongScore(Scripted):
    """Returns a verdict with the score, or the status, that the rollout's text says."""

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        return changed(super().verify(task, rollout), rollout.text.removeprefix("echo "))


def changed(verdict: Verdict, text: str) -> Verdict:
    name, _, value = text.partition("=")
    return replace(verdict, **{name: float(value) if name == "score" else value})  # type: ignore[arg-type]


class CannotOpen(Scripted):
    def open(self) -> None:
        raise OSError("no such library")


class CannotBuild(Scripted):
    def __init__(self, options: Any, context: BuildContext) -> None:
        raise RuntimeError("bad build")


class Background:
    """Judges in threads of its own, as verifiers with sandboxes do: registered with `submits`."""

    hash = "background-1"
    #: Ids of the tasks and samples judged by this process so far, and the threads that did.
    judged: ClassVar[list[tuple[str, int]]] = []

    def __init__(self, options: Any, context: BuildContext) -> None:
        self._threads = ThreadPoolExecutor(4)

    def open(self) -> None: ...

    def close(self) -> None:
        self._threads.shutdown()

    def submit(self, task: Task, rollout: Rollout) -> Future[Verdict]:
        return self._threads.submit(self.verify, task, rollout)

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        if rollout.text == "raise":
            raise ValueError("told to")
        right = rollout.text == str(task.answer)
        self.judged.append((task.id, rollout.key.sample))
        return Verdict(
            status="pass" if right else "fail",
            score=float(right),
            verifier=task.verifier,
            verifier_hash=self.hash,
        )


class WrongScoreBehind(Background):
    """The same, from threads of its own."""

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        return changed(super().verify(task, rollout), rollout.text)


class Unopenable(Background):
    """Has no sandbox here."""

    def open(self) -> None:
        raise OSError("no engine")


class Unaskable(Scripted):
    """Must not be asked."""

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        raise AssertionError("was given what the engine gave up")


class UnaskableElsewhere(Background):
    """Must not be asked, and judges in threads of its own."""

    def submit(self, task: Task, rollout: Rollout) -> Future[Verdict]:
        raise AssertionError("was given what the engine gave up")
