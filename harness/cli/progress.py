"""What a person sees while runs go on: a live table on a terminal, plain lines elsewhere.

Runs are other processes; what they have done is in their ledgers, so progress is read there. A line
that was shown is therefore a thing that was done, durably.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table

from harness.cli.words import nothing_judged
from harness.contract.errors import counted
from harness.contract.records import StepMetrics
from harness.planning.plan import Plan
from harness.running.loop import LEDGER_FILE
from harness.running.study import Child, Study
from harness.support.figures import percent

#: Seconds between two lines about a run's steps if there is no terminal.
PLAIN_EVERY = 15.0


class _Event(msgspec.Struct):
    """The parts of a ledger line that progress shows; the rest is not decoded."""

    t: str
    stage: str = ""
    name: str = ""
    reason: str = ""
    refused: str = ""
    heldout: str = ""
    step: int = 0
    round: int = 0
    metrics: StepMetrics | None = None
    scores: dict[str, float] = msgspec.field(default_factory=dict)
    spent_rollouts: int = 0
    spent_tokens: int = 0
    subjects: list[str] = msgspec.field(default_factory=list)


@dataclass(slots=True)
class RunView:
    """One run as its ledger shows it so far."""

    title: str
    path: Path
    budget: int | None
    doing: str = "waiting"
    rollouts: int = 0
    tokens: int = 0
    score: float | None = None
    metrics: StepMetrics | None = None
    started: float | None = None
    first_rollouts: int = 0
    said: float = 0.0
    over: bool = False
    #: What its launcher last said of it.
    about: str = ""
    news: list[str] = field(default_factory=list)
    _offset: int = 0

    def update(self) -> None:
        """Read what the ledger has gained."""
        if not self.path.exists():
            return
        decoder = msgspec.json.Decoder(_Event)
        with self.path.open("rb") as file:
            file.seek(self._offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    break
                self._offset += len(raw)
                if not raw.startswith((b'{"t":"group"', b'{"t":"sample"')):
                    self._see(decoder.decode(raw))

    def _see(self, event: _Event) -> None:
        if self.started is None and event.t in ("opened", "resumed"):
            self.started, self.first_rollouts = time.monotonic(), self.rollouts
        if event.spent_rollouts:
            self.rollouts, self.tokens = event.spent_rollouts, event.spent_tokens or self.tokens
        if event.t == "measurement":
            self.doing = f"measuring before {event.stage}, round {event.round}"
        elif event.t == "labels":
            self.news.append(
                f"measured difficulty before {event.stage}: {self.rollouts:,} rollouts spent so far"
            )
        elif event.t == "stage_started":
            self.doing = f"{event.stage}"
            self.news.append(f"stage {event.stage} starts on {counted(len(event.subjects), 'subject')}")
        elif event.t == "step" and event.metrics is not None:
            self.metrics, self.doing = event.metrics, f"{event.metrics.stage}, step {event.metrics.step}"
        elif event.t == "evaluation" and event.refused:
            where = f"{event.heldout} {event.name.replace('-', ' ')} {event.stage}".rstrip()
            self.news.append(f"{where}: no score: {event.refused}")
        elif event.t == "evaluation" and "mean" in event.scores:
            self.score = event.scores["mean"]
            if event.name != "inside":
                self.news.append(
                    f"{event.heldout} {event.name.replace('-', ' ')} {event.stage}: {self.score:.3f}"
                )
        elif event.t == "stage_finished":
            self.news.append(f"stage {event.stage} ended: {event.reason}")
        elif event.t == "finished":
            self.doing = "finished"

    def eta(self) -> float | None:
        """Seconds to the end of the budget at the pace so far."""
        if self.started is None or self.budget is None or self.rollouts <= self.first_rollouts:
            return None
        pace = (self.rollouts - self.first_rollouts) / (time.monotonic() - self.started)
        return (self.budget - self.rollouts) / pace

    def tokens_per_second(self) -> float | None:
        m = self.metrics
        return m.tokens / m.seconds if m is not None and m.seconds > 0 else None


def views_of(study: Study, plans: Sequence[Plan]) -> list[RunView]:
    """A view of each run, with its arm's budget, in the study's order."""
    budgets = {plan.arm.name: plan.recipe.budget.rollouts for plan in plans}
    many_seeds = len({seed for _, seed in study.runs}) > 1
    return [
        RunView(
            f"{info.arm}, seed {info.seed}" if many_seeds else info.arm,
            info.folder / LEDGER_FILE,
            budgets[info.arm],
        )
        for info in study.infos()
    ]


@contextmanager
def watching(study: Study, plans: Sequence[Plan]) -> Iterator[Callable[[Sequence[Child]], None]]:
    """A callable for `run_all` that shows progress; live on a terminal, plain lines elsewhere."""
    views = views_of(study, plans)
    console = Console()
    for view in views:
        # What a resumed run had done before is known already; only what is new is printed.
        view.update()
        view.news.clear()
    console.print(
        f"run {study.folder}: {counted(len(views), 'run')} of {study.recipe_path.name}", highlight=False
    )
    if not console.is_terminal:

        def tell(children: Sequence[Child]) -> None:
            _look(views, children)
            say(views, sys.stdout, time.monotonic())

        yield tell
        return
    with Live(console=console, refresh_per_second=4) as live:

        def watch(children: Sequence[Child]) -> None:
            _look(views, children)
            live.update(table(views))

        yield watch


def _look(views: Sequence[RunView], children: Sequence[Child]) -> None:
    for view, child in zip(views, children, strict=True):
        view.update()
        if child.code is None and child.state.about != view.about:
            # Until the run itself has something to say.
            view.about = view.doing = child.state.about
            view.news.append(view.about)
        elif child.run is not None and view.doing == "waiting":
            view.doing = "starting"
        if child.code not in (None, 0):
            view.doing = f"failed ({child.code})"
        view.over = child.code is not None


def say(views: Sequence[RunView], out: TextIO, now: float) -> None:
    """Print what is new of each run: milestones at once, steps now and then."""
    for view in views:
        for line in view.news:
            print(f"{view.title}: {line}", file=out, flush=True)
        view.news.clear()
        if view.metrics is not None and now - view.said >= PLAIN_EVERY and not view.over:
            # Reporting may take a while after the end; its line is said once.
            view.said = math.inf if view.doing == "finished" else now
            print(f"{view.title}: {_plain(view)}", file=out, flush=True)


def _plain(view: RunView) -> str:
    m = view.metrics
    assert m is not None
    parts = [
        view.doing,
        f"{view.rollouts:,} rollouts" + (f" of {view.budget:,}" if view.budget else ""),
        *([nothing_judged(m)] if m.unjudged >= 1 else _judged(m)),
    ]
    if (speed := view.tokens_per_second()) is not None:
        parts.append(f"{speed:,.0f} tokens/s")
    if (eta := view.eta()) is not None:
        parts.append(f"{_minutes(eta)} to go")
    return ", ".join(parts)


def _judged(m: StepMetrics) -> list[str]:
    return [
        f"pass rate {m.pass_rate:.2f}",
        f"reward {m.reward_mean:.2f}",
        f"zero-variance groups {percent(m.zero_variance_groups, 0)}",
        f"truncated {percent(m.truncated, 0)}",
        *([f"{percent(m.unjudged, 0)} not judged"] if m.unjudged else []),
    ]


def table(views: Sequence[RunView]) -> Table:
    """The live table: one row per run."""
    rows = Table(box=None, pad_edge=False)
    rows.add_column("run")
    rows.add_column("now")
    for name in (
        "rollouts",
        "held-out",
        "pass rate",
        "reward",
        "zero var.",
        "truncated",
        "tokens/s",
        "to go",
    ):
        rows.add_column(name, justify="right")
    for view in views:
        m = view.metrics
        speed, eta = view.tokens_per_second(), view.eta()
        rows.add_row(
            view.title,
            view.doing,
            f"{view.rollouts:,}" + (f" / {view.budget:,}" if view.budget else ""),
            "" if view.score is None else f"{view.score:.3f}",
            *_rates(m),
            "" if speed is None else f"{speed:,.0f}",
            "" if eta is None or view.over else _minutes(eta),
        )
    return rows


def _rates(m: StepMetrics | None) -> tuple[str, str, str, str]:
    if m is None or m.unjudged >= 1:
        return "" if m is None else "nothing could be judged", "", "", ""
    return (
        f"{m.pass_rate:.2f}",
        f"{m.reward_mean:.2f}",
        percent(m.zero_variance_groups, 0),
        percent(m.truncated, 0),
    )


def _minutes(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"
