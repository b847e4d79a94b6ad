"""What became of each test, with the evidence for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from harness.contract import Raw

TestVerdict = Literal[
    "pass",
    "wrong_answer",
    "runtime_error",
    "time_limit",
    "memory_limit",
    "output_limit",
    "compile_error",
    "infra_error",
]
_EVIDENCE = 300


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test's verdict."""

    __test__ = False  # not a test of ours, whatever pytest thinks of its name

    verdict: TestVerdict
    #: Why, in a line; empty for a pass.
    evidence: str = ""
    #: Whether the evidence comes from a process that the program could answer unevenly.
    weak: bool = False
    #: Assertions that ran in such a process after it had asked the program.
    asserted: int = 0
    cpu_s: float = 0.0
    peak_mb: float = 0.0

    @property
    def passed(self) -> bool:
        return self.verdict == "pass"


def of_failure(raw: Raw) -> TestResult:
    """The verdict on a run that did not end by itself with exit code 0."""
    verdict: TestVerdict = "runtime_error"
    if raw.status != "ok" and raw.status != "error":
        verdict = raw.status
    return TestResult(verdict, _why(raw), cpu_s=raw.cpu_s, peak_mb=raw.peak_mb)


def wrong_or_passed(raw: Raw, why: str | None) -> TestResult:
    """The verdict on an output that was compared: `why` says where it differs from what is right."""
    verdict: TestVerdict = "wrong_answer" if why else "pass"
    return TestResult(verdict, why or "", cpu_s=raw.cpu_s, peak_mb=raw.peak_mb)


def compared(raw: Raw, rule: Callable[[Any], str | None], given: Any, right: Any) -> TestResult:
    """The verdict on what a program gave.

    A comparison that breaks on it, and not on what is right, was broken by the program: its answer is wrong.
    One that breaks on both is ours to mend, and raises.
    """
    try:
        return wrong_or_passed(raw, rule(given))
    except Exception as error:  # noqa: BLE001 - whose fault it is, the next line tells
        rule(right)
        return wrong_or_passed(raw, f"cannot be compared: {type(error).__name__}: {error}"[:_EVIDENCE])


def _why(raw: Raw) -> str:
    if raw.status == "infra_error":
        return raw.reason[:_EVIDENCE]
    if raw.status == "time_limit":
        return f"after {raw.cpu_s:.1f} s of CPU, {raw.wall_s:.1f} s"
    last = raw.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:_EVIDENCE]
    ended = f"signal {raw.signal}" if raw.signal is not None else f"exit code {raw.exit}"
    return last or ended
