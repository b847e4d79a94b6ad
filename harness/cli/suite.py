"""`harness eval --suite FILE` and `--dry-run`: the suite as lines and tables."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from harness.cli.context import blocked, load_plugins
from harness.cli.evaluations import UNANSWERED, within
from harness.cli.tables import Table, show
from harness.support.figures import count, percent

if TYPE_CHECKING:
    from harness.benchmarking.expected import Expected
    from harness.benchmarking.suite import Cell, Price, Suite
    from harness.benchmarking.suite_run import Progress, SuiteRun
    from harness.benchmarking.suite_summary import Group

#: Exit code of a suite that its cap stopped.
CAPPED: Final = 6
SUMMARY: Final = "summary.json"


def run_suite(path: Path, runs: Path, *, dry: bool) -> int:
    """Run, or go on with, a suite; returns the exit code: 0 if every evaluation has its score, 1 if one
    has none, `UNANSWERED`, or `CAPPED`."""
    from harness.benchmarking.suite import cells, read_suite
    from harness.benchmarking.suite_run import SuiteRun, told
    from harness.benchmarking.suite_state import prepared_cells

    suite = read_suite(path)
    plugins = load_plugins()
    base, root = path.resolve().parent, (runs / suite.name).resolve()
    made = list(cells(suite, base, root, plugins, blocked()))
    progress = prepared_cells(made, plugins, _seconds_before(root))
    made = [one.cell for one in progress]
    for one in progress:
        if one.state == "refused":
            reason = "; ".join(line.strip() for line in one.reason.splitlines()[:2])
            click.echo(f"{one.cell.label}: refused: {reason}", err=True)
    if dry:
        return _show_plan(suite, progress)
    root.mkdir(parents=True, exist_ok=True)
    click.echo(f"suite {root}: {len(made)} evaluations", err=True)
    run = SuiteRun(suite, progress, lambda line: click.echo(line, err=True))
    totals = run.totals()
    if run.over(totals):
        run.stopped = run.over(totals)
    # A shell's background jobs ignore interrupts, which evaluations would inherit; a cap stops them by one.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A termination, as CI sends it, is an interrupt too: no evaluation is left behind.
    signal.signal(signal.SIGTERM, lambda number, frame: os.kill(os.getpid(), signal.SIGINT))
    try:
        asyncio.run(run.run())
    except KeyboardInterrupt as stop:
        _write(root, run, [])
        raise click.Abort(f"harness eval --suite {path}, which goes on") from stop
    groups = _show_summary(made)
    totals = run.totals()
    priced = any(engine.price is not None for engine in suite.engines.values())
    click.echo(f"\n{told(totals, priced)}")
    _write(root, run, groups)
    return _exit_code(run, path)


def _show_plan(suite: Suite, progress: Sequence[Progress]) -> int:
    rows = [(p.cell.model, p.cell.profile, suite.engines[p.cell.engine].price, p.expected) for p in progress]
    show_expected([(f"{m}, {pr}", price, e) for m, pr, price, e in rows if e is not None])
    return 1 if any(p.state == "refused" for p in progress) else 0


def show_expected(rows: Sequence[tuple[str, Price | None, Expected]]) -> None:
    """Print what would be generated, at most."""
    table = []
    cost = 0.0
    for label, price, e in rows:
        most = (e.asked_tokens * price.input + e.most_tokens * price.output) / 1e6 if price else 0.0
        cost += most
        prompts = f"about {count(e.characters / 4)}" if e.prompt_tokens is None else count(e.prompt_tokens)
        table.append(
            [label, e.benchmark, count(e.problems), count(e.samples), count(e.completions), prompts,
             count(e.max_tokens), count(e.most_tokens)]
        )  # fmt: skip
    columns = (
        "model, profile", "benchmark", "problems", "samples", "completions", "prompt tokens", "longest",
        "tokens at most",
    )  # fmt: skip
    show(Table(columns, table))
    completions = sum(e.completions for _, _, e in rows)
    click.echo(
        f"\n{completions:,} completions, {count(sum(e.most_tokens for _, _, e in rows))} tokens at most"
        + (f", cost {cost:,.2f} at most" if cost else "")
        + "; nothing was generated"
    )


def _show_summary(made: Sequence[Cell]) -> list[Group]:
    from harness.benchmarking.suite_summary import summary

    groups = list(summary(made))
    for group in groups:
        click.echo()
        rows = []
        for row in group.rows:
            if row.score is None:
                rows.append([row.model, f"no score: {row.reason}", "", "", ""])
            else:
                s = row.score
                rows.append(
                    [row.model, percent(s.value), within(s.rerun), within(s.benchmark), f"{row.tokens:.0f}"]
                )
        columns = ("model", "score", "rerun", "benchmark interval", "tokens")
        show(Table(columns, rows, title=f"{group.benchmark}, {group.profile}"))
        for pair in group.pairs:
            comparison = pair.comparison
            word = "is better than" if pair.p < 0.05 else "is not told apart from"
            click.echo(
                f"  {pair.better} {word} {pair.worse}: {100 * comparison.difference:+.1f} points, paired p = "
                f"{pair.p:.3g} (Holm), {comparison.problems} problems"
            )
        for note in group.notes:
            click.echo(f"  {note}")
    return groups


def _exit_code(run: SuiteRun, path: Path) -> int:
    failed = [p for p in run.cells if p.state in ("failed", "refused")]
    if failed:
        click.echo(f"{len(failed)} of {len(run.cells)} evaluations have no score", err=True)
    if run.stopped:
        click.echo(
            f"stopped by the cap: {run.stopped}\n  go on with: harness eval --suite {path}, with another cap",
            err=True,
        )
        return CAPPED
    if failed:
        click.echo(f"  go on with: harness eval --suite {path}", err=True)
        return 1
    return UNANSWERED if any(p.code == UNANSWERED for p in run.cells) else 0


def _seconds_before(root: Path) -> Mapping[str, float]:
    """Seconds of earlier calls, by evaluation."""
    try:
        values: dict[str, Any] = json.loads((root / SUMMARY).read_bytes())
    except FileNotFoundError:
        return {}
    return {name: float(one["seconds"]) for name, one in values["evaluations"].items()}


def _write(root: Path, run: SuiteRun, groups: Sequence[Group]) -> None:
    """Write the summary as JSON, whole or not at all."""
    values = {
        "suite": run.suite.name,
        "stopped": run.stopped,
        "evaluations": {
            p.cell.folder.folder.name: {
                "model": p.cell.model, "profile": p.cell.profile, "benchmark": p.cell.benchmark,
                "engine": p.cell.engine, "state": p.state, "reason": p.reason,
                "seconds": p.seconds + p.seconds_before,
                "samples": p.meter.samples if p.meter else 0, "tokens": p.meter.tokens if p.meter else 0,
            }
            for p in run.cells
            if p.cell.folder is not None
        },
        "groups": [
            {
                "profile": g.profile, "benchmark": g.benchmark,
                "scores": {r.model: _score(r.score) for r in g.rows if r.score is not None},
                "pairs": [
                    {"better": p.better, "worse": p.worse, "difference": p.comparison.difference, "p": p.p}
                    for p in g.pairs
                ],
            }
            for g in groups
        ],
    }  # fmt: skip
    scratch = root / f"{SUMMARY}.new"
    scratch.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    scratch.replace(root / SUMMARY)


def _score(score: Any) -> dict[str, Any]:
    return {
        "value": score.value, "problems": score.problems, "samples": score.samples,
        "rerun": [score.rerun.low, score.rerun.high],
        "benchmark": [score.benchmark.low, score.benchmark.high],
    }  # fmt: skip
