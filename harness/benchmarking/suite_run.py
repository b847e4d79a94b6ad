"""Running a suite: each evaluation in a process of its own, so many at once as its engine allows.

A process that fails or dies takes nothing with it. The suite reads the ledgers while they are written, so
that time and cost to go are known and a cap stops all of it. A stop is an interrupt, which an evaluation
survives.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from harness.benchmarking.expected import Expected
from harness.benchmarking.metering import Meter
from harness.benchmarking.suite import Cell, Suite

#: Seconds between two looks at the ledgers, and between two lines about progress.
LOOK_SECONDS: Final = 1.0
SAY_SECONDS: Final = 10.0
#: Seconds that an interrupted evaluation has to write what it holds.
GRACE_SECONDS: Final = 30.0
LOG: Final = "suite.log"
#: Exit code of an evaluation nearly all of whose samples have no answer.
UNANSWERED: Final = 3

State = Literal["waiting", "running", "done", "failed", "stopped", "refused"]


@dataclass(slots=True)
class Progress:
    """One evaluation of the suite while it goes on."""

    cell: Cell
    #: What it is to generate; None if it cannot be asked for.
    expected: Expected | None
    meter: Meter | None
    state: State = "waiting"
    #: Exit code of its process.
    code: int | None = None
    #: Seconds for which it was under way in this call and in those before, and tokens there were before.
    seconds: float = 0.0
    seconds_before: float = 0.0
    tokens_before: int = 0
    reason: str = ""
    _begun: float = field(default=0.0, repr=False)

    def look(self) -> None:
        """Take in what its process has written since."""
        if self.meter is not None:
            self.meter.read()
        if self.state == "running":
            self.seconds = time.monotonic() - self._begun

    def begin(self) -> None:
        """It is under way now."""
        self.state, self._begun = "running", time.monotonic()

    @property
    def missing(self) -> int:
        """Samples still to be generated."""
        if self.expected is None or self.meter is None:
            return 0
        return max(0, self.expected.completions - self.meter.samples)


@dataclass(slots=True)
class Totals:
    """The suite so far."""

    samples: int = 0
    wanted: int = 0
    tokens: int = 0
    cost: float = 0.0
    #: Expected of the rest; None before the first sample shows how long answers are, and how fast they come.
    tokens_to_go: float | None = None
    seconds_to_go: float | None = None
    cost_to_go: float | None = None


@dataclass(slots=True)
class SuiteRun:
    """One call of a suite."""

    suite: Suite
    cells: Sequence[Progress]
    say: Callable[[str], None]
    #: Why it was stopped before its end; empty if it was not.
    stopped: str = ""
    _started: float = field(default_factory=time.monotonic)
    _told: str = ""
    _processes: dict[int, asyncio.subprocess.Process] = field(default_factory=dict)

    def totals(self) -> Totals:
        """What has been generated in all calls, and what is to go."""
        out = Totals()
        seen = [p for p in self.cells if p.meter is not None and p.expected is not None]
        drawn = {"": (0, 0)} | {p.cell.model: (0, 0) for p in seen}
        for p in seen:
            assert p.meter is not None
            for key in ("", p.cell.model):
                samples, tokens = drawn[key]
                drawn[key] = (samples + p.meter.samples, tokens + p.meter.tokens)
        to_go: dict[str, float] = {}
        unknown = False
        for p in seen:
            assert p.meter is not None
            assert p.expected is not None
            price = self.suite.engines[p.cell.engine].price
            out.samples += p.meter.samples
            out.wanted += p.expected.completions
            out.tokens += p.meter.tokens
            out.cost += p.meter.cost(price, (p.seconds + p.seconds_before) / 3600)
            if not p.missing or p.state in ("failed", "refused"):
                continue
            mean = _mean((p.meter.samples, p.meter.tokens), drawn[p.cell.model], drawn[""])
            unknown |= mean is None
            rest = p.missing * (mean or 0.0)
            to_go[p.cell.engine] = to_go.get(p.cell.engine, 0.0) + rest
            if price is not None:
                asked = p.missing * p.expected.asked_tokens / max(p.expected.completions, 1)
                more = (rest * price.output + asked * price.input) / 1_000_000
                out.cost_to_go = (out.cost_to_go or 0.0) + more
        if unknown:
            out.cost_to_go = None
            return out
        out.tokens_to_go = sum(to_go.values())
        paces = {engine: self._pace(engine) for engine in to_go}
        if all(paces.values()):
            out.seconds_to_go = max((t / paces[e] for e, t in to_go.items()), default=0.0)
        return out

    def _pace(self, engine: str) -> float:
        """Completion tokens per second on an engine in this call; 0 before it is known."""
        mine = [p for p in self.cells if p.cell.engine == engine and p.meter is not None and p.seconds]
        tokens = sum(p.meter.tokens - p.tokens_before for p in mine if p.meter is not None)
        seconds = sum(p.seconds for p in mine)
        together = min(self.suite.engines[engine].concurrency, max(len(mine), 1))
        return tokens / seconds * together if seconds else 0.0

    async def run(self) -> None:
        """Run what is waiting; returns when all have ended, or the cap stopped them."""
        slots = {name: asyncio.Semaphore(use.concurrency) for name, use in self.suite.engines.items()}
        watch = asyncio.create_task(self._watch())
        try:
            await asyncio.gather(*(self._one(p, slots[p.cell.engine]) for p in self.cells))
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await self.stop(self.stopped or "interrupted")
            self._read()

    async def stop(self, why: str) -> None:
        """Interrupt what is under way and start nothing more."""
        if not self._processes:
            return
        self.stopped = self.stopped or why
        processes = list(self._processes.values())
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        waits = [asyncio.create_task(process.wait()) for process in processes]
        _, late = await asyncio.wait(waits, timeout=GRACE_SECONDS)
        for process, wait in zip(processes, waits, strict=True):
            if wait in late:
                process.kill()
        await asyncio.gather(*waits)

    async def _one(self, progress: Progress, slot: asyncio.Semaphore) -> None:
        cell = progress.cell
        if cell.folder is None or progress.state in ("refused", "done"):
            return
        async with slot:
            if self.stopped:
                progress.state = "stopped"
                return
            folder = cell.folder
            folder.info.folder.mkdir(parents=True, exist_ok=True)
            folder.write()
            progress.begin()
            blocked = [word for name in folder.asked.blocked for word in ("--no-plugin", name)]
            with (folder.folder / LOG).open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "harness", *blocked, "eval", "--resume", str(folder.folder),
                    stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder.asked.base,
                    # An interrupt of the terminal comes through the suite, once.
                    start_new_session=True, env=_environment(),
                )  # fmt: skip
                self._processes[process.pid] = process
                await process.wait()
                self._processes.pop(process.pid, None)
            progress.look()
            progress.code = process.returncode
            progress.state = self._state(progress)
            self.say(f"{cell.label}: {progress.state}{progress.reason and ': ' + progress.reason}")

    def _state(self, progress: Progress) -> State:
        assert progress.cell.folder is not None
        if progress.code in (0, UNANSWERED):
            return "done"
        if self.stopped:
            return "stopped"
        log = progress.cell.folder.folder / LOG
        lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(("Error: ", "no score for "))]
        last = (errors or lines or [""])[-1]
        died = (
            f"killed by signal {-progress.code}; " if progress.code is not None and progress.code < 0 else ""
        )
        progress.reason = f"{died}{last[:300]} ({log})"
        return "failed"

    def _read(self) -> None:
        for progress in self.cells:
            progress.look()

    async def _watch(self) -> None:
        said = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._read()
            totals = self.totals()
            if why := self.over(totals):
                self.say(f"the cap is reached: {why}; stopping")
                self.stopped = why
                await self.stop(why)
                return
            if time.monotonic() - said > SAY_SECONDS:
                said = time.monotonic()
                self.tell(totals)

    def tell(self, totals: Totals) -> None:
        """Say how far it is, unless nothing has changed since that was said last."""
        line = told(totals, any(use.price is not None for use in self.suite.engines.values()))
        if line != self._told:
            self._told = line
            self.say(line)

    def over(self, totals: Totals) -> str:
        """Which cap is reached; empty if none is."""
        cap = self.suite.cap
        hours = (time.monotonic() - self._started) / 3600
        if cap.cost is not None and totals.cost >= cap.cost:
            return f"{totals.cost:.2f} of {cap.cost:g} spent"
        if cap.tokens is not None and totals.tokens >= cap.tokens:
            return f"{totals.tokens:,} of {cap.tokens:,} tokens generated"
        if cap.hours is not None and hours >= cap.hours:
            return f"{hours:.2f} of {cap.hours:g} hours passed"
        return ""


def told(totals: Totals, priced: bool) -> str:
    """The suite so far and to go, in a line."""
    from harness.support.figures import duration

    line = f"{totals.samples:,} of {totals.wanted:,} samples, {totals.tokens:,} tokens"
    if priced:
        line += f", cost {totals.cost:.2f}"
    if not totals.tokens_to_go:
        return line
    rest = f"about {totals.tokens_to_go:,.0f} tokens"
    if totals.seconds_to_go is not None:
        rest += f", {duration(totals.seconds_to_go)}"
    if priced and totals.cost_to_go is not None:
        rest += f", cost {totals.cost_to_go:.2f}"
    return f"{line}; to go: {rest}"


def _mean(*counted: tuple[int, int]) -> float | None:
    """Tokens per sample of the first (samples, tokens) that has any samples."""
    return next((tokens / samples for samples, tokens in counted if samples), None)


def _environment() -> dict[str, str]:
    """This process's, with the modules that it found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
