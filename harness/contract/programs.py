"""What a sandbox must offer: it runs programs that a model wrote, and says what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """One program execution. Expected outputs never enter it.

    A job is one of: a whole program that reads `stdin`; calls of `entry_point`, or `expressions` over
    the program's names, whose values come back one per line; `tests` that call the program's `names`
    from a process of their own; a `binary` that was compiled before. Code of a compiled language is
    compiled: the binary is the result.
    """

    code: str
    stdin: bytes = b""
    #: Calls to make for functional problems: plain values as arguments, one list per call.
    entry_point: str | None = None
    calls: Sequence[Sequence[Any]] = ()
    language: str = "python"
    #: Limits of the whole program, or of each call if there are calls.
    cpu_seconds: float = 6.0
    wall_seconds: float = 12.0
    memory_mb: int = 1024
    #: The most that is kept of stdout, and the most of stderr.
    output_bytes: int = 1 << 20
    #: Expressions to evaluate in the program's namespace instead of calls.
    expressions: Sequence[str] = ()
    #: The most that all values together may take.
    result_bytes: int = 8 << 20
    #: Trusted test code that sees the program's `names` as remote functions, and what it writes to its
    #: result after its last statement.
    tests: str = ""
    names: Sequence[str] = ()
    token: str = ""
    #: A compiled program to run instead of `code`.
    binary: bytes = b""
    #: Trace a whole Python program while it runs: `Raw.trace`. A longer trace than `result_bytes` is an
    #: `output_limit`.
    trace: bool = False


#: How a program ended in a sandbox.
RawStatus = Literal[
    "ok", "error", "time_limit", "memory_limit", "output_limit", "compile_error", "infra_error"
]


@dataclass(frozen=True, slots=True)
class Raw:
    """What came back from a sandbox, uninterpreted. `ok` says that the program ended by itself with
    exit code 0, `error` that it ended otherwise, `infra_error` that it is not known what it would do."""

    status: RawStatus
    exit: int | None
    stdout: bytes
    stderr: bytes
    #: One line per call: what `harness_runner.values` makes of its value or error.
    result: bytes
    wall_s: float
    cpu_s: float
    peak_mb: float
    #: The signal that ended the program.
    signal: int | None = None
    #: Processes that the program left behind, all of them killed.
    strays: int = 0
    #: Why, for an `infra_error`.
    reason: str = ""
    #: Seconds between the request and the start of its execution.
    queue_s: float = 0.0
    #: What a traced job did: a line of JSON for each line that the program was about to run, in that order,
    #: `{"line": 3, "depth": 1, "values": {"a": 2}}`, and for each end of a frame, with `return` in the place
    #: of `line`. `values` are those of the frame's variables that are made of Python's own plain types, as
    #: `harness_runner.values` packs them. A program can end its trace, and not forge it.
    trace: bytes = b""
    #: Why a traced job has no trace: the program reached for the tracer, or did not run to its end.
    untraced: str = ""


class Sandbox(Protocol):
    """A place where a program that a model wrote can run."""

    @property
    def width(self) -> int:
        """Jobs that run side by side."""
        ...

    async def run(self, job: Job) -> Raw:
        """Run it and say what happened; waits while the queue is full. Never raises for what a program
        does, nor for a sandbox that broke: that is an `infra_error`."""
        ...

    def close(self) -> None: ...
