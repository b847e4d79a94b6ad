"""One judgement, wherever it happens: every way that a verifier can fail becomes a verdict.

A verifier that raises is our bug: `infra_error` with the exception, never a 0. A verifier that runs
into the memory limit met an answer that is too costly: `timeout`, reason `memory_limit`.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Final, get_args

from harness.contract.protocols import Verifier
from harness.contract.records import Rollout, Status, Task, Verdict
from harness.scoring.spec import hash_of

STATUSES: Final[frozenset[str]] = frozenset(get_args(Status))
#: Longest reason kept, in characters.
REASON: Final = 500


def judge(verifier: Verifier, task: Task, rollout: Rollout) -> Verdict:
    """The verifier's verdict with its seconds, or what its failure amounts to."""
    started = time.perf_counter()
    try:
        verdict = checked(verifier.verify(task, rollout))
    except MemoryError:
        verdict = failed(task.verifier, hash_of(verifier), "timeout", "memory_limit")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a verifier's fault is a status, not a crash
        verdict = failed(task.verifier, hash_of(verifier), "infra_error", describe(error))
    if verdict.seconds:
        return verdict
    return dataclasses.replace(verdict, seconds=time.perf_counter() - started)


def checked(verdict: object) -> Verdict:
    """What a verifier returned, if it can be counted.

    Raises:
        TypeError, ValueError: it is no verdict, has an unknown status, or a score that is none.
    """
    if not isinstance(verdict, Verdict):
        raise TypeError(f"the verifier returned {type(verdict).__name__}, not a Verdict")
    if verdict.status not in STATUSES:
        raise ValueError(f"the verdict's status is {verdict.status!r}")
    if verdict.score is not None and not 0 <= verdict.score <= 1:
        raise ValueError(f"the verdict's score is {verdict.score!r}, outside [0, 1]")
    return verdict


def given_up(rollout: Rollout) -> str:
    """Why there is nothing to judge, for a rollout that the engine gave up."""
    return f"the engine gave up{rollout.reason and f': {rollout.reason}'}"[:REASON]


def failed(verifier: str, verifier_hash: str, status: Status, reason: str, seconds: float = 0.0) -> Verdict:
    """A verdict that the pool gives instead of the verifier."""
    return Verdict(
        status=status,
        score=None if status == "infra_error" else 0.0,
        verifier=verifier,
        verifier_hash=verifier_hash,
        reason=reason,
        complete=False,
        seconds=seconds,
    )


def describe(error: BaseException) -> str:
    """An exception as one bounded line, with the place it came from."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f" ({code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} in {code.co_name})"
        trace = trace.tb_next
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text[:REASON] + place
