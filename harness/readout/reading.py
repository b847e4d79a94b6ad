"""From ledgers to values, as a stream.

Only what a report needs is kept: one point a training step, one an evaluation, counts a stratum;
problems are kept for the first and the last evaluation of each held-out set alone. Memory therefore
does not grow with the number of samples. Texts are skipped without being decoded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.contract.errors import LedgerError
from harness.contract.records import Difficulty, StepMetrics, convert
from harness.readout.folders import arms_of, recipe_of, run_folders
from harness.readout.lines import events
from harness.readout.study import Evaluation, Labels, Run, StageSpan, Step, Study
from harness.recording.spending import Spent
from harness.statistics.tally import Counts, total


def read_study(folder: Path) -> Study:
    """Read every run of a study.

    Raises:
        LedgerError: there is no run in it, or a ledger cannot be read.
    """
    folders = run_folders(folder)
    if not folders:
        raise LedgerError(
            "no run in this folder",
            where=str(folder),
            allowed="a study: <arm>/seed-<n>/ledger.jsonl",
            hint="harness runs",
        )
    arms, text, name = arms_of(folder), "", folder.name.rpartition("-")[0] or folder.name
    values = recipe_of(folder)
    name, text = str(values.get("name", name)), str(values.get("about", ""))
    runs = [
        read_run(path, arm, seed) if (path / "ledger.jsonl").exists() else Run(path, arm, seed)
        for arm, seed, path in folders
    ]
    return Study(folder, name, runs, arms, text)


def read_run(folder: Path, arm: str = "", seed: int = 0) -> Run:
    """Read one run's ledger as a stream.

    Raises:
        LedgerError: there is no ledger, or it is damaged.
    """
    return run_of(events(folder / "ledger.jsonl"), folder, arm, seed)


def run_of(lines: Iterable[tuple[str, Any]], folder: Path, arm: str = "", seed: int = 0) -> Run:
    """The run that a ledger's events tell of (`harness.readout.lines`)."""
    run = Run(folder, arm, seed)
    drawn: dict[str, int] = {}
    for kind, line in lines:
        if kind == "group":
            if line.fresh:
                drawn[line.subject] = drawn.get(line.subject, 0) + line.fresh
        elif kind == "measurement":
            run.last_spent = line.spent
        elif kind == "step":
            metrics = convert(line["metrics"], StepMetrics, where=str(folder))
            run.steps.append(Step(metrics, Spent.of(line)))
            run.drawn.append(drawn)
            drawn = {}
        elif kind == "evaluation":
            _evaluation(run, line)
        else:
            _event(run, kind, line)
        if isinstance(line, dict) and "spent_tokens" in line:
            run.last_spent = Spent.of(line)
    return run


def _evaluation(run: Run, line: dict[str, Any]) -> None:
    """Add an evaluation; one that makes good for lost samples takes the earlier one's place."""
    made = _read_evaluation(run, line)
    at = next((i for i, e in enumerate(run.evaluations) if not e.judged and _place(e) == _place(made)), None)
    if at is None:
        run.evaluations.append(made)
    else:
        run.evaluations[at] = made
    # Problems are kept for the first and the last evaluation of a held-out set.
    for i in [i for i, e in enumerate(run.evaluations) if e.heldout == made.heldout][1:-1]:
        if run.evaluations[i].problems:
            run.evaluations[i] = replace(run.evaluations[i], problems={}, answers={})


def _read_evaluation(run: Run, line: dict[str, Any]) -> Evaluation:
    problems = convert(line.get("problems", {}), dict[str, Counts], where=str(run.folder))
    strata = convert(line.get("strata", {}), dict[str, Counts], where=str(run.folder))
    refused = line.get("refused", "")
    judged = [c for c in problems.values() if c.samples]
    if refused:
        rate = float("nan")
    elif judged:
        rate = sum(c.rate for c in judged) / len(judged)
    else:
        rate = total(strata.values()).rate
    return Evaluation(
        line["name"],
        line["heldout"],
        line.get("stage", ""),
        line.get("step", 0),
        Spent.of(line),
        line.get("scores", {}),
        strata,
        problems,
        rate,
        line.get("cpu_seconds", 0.0),
        line.get("facts", {}),
        refused,
        line.get("answers", {}),
    )


def _place(e: Evaluation) -> tuple[str, str, str, int]:
    return e.name, e.heldout, e.stage, e.step


def _event(run: Run, kind: str, line: dict[str, Any]) -> None:
    if kind == "opened":
        run.opened = line
        run.arm = run.arm or line.get("run", {}).get("arm", "")
        run.seed = run.seed or line.get("seed", 0)
    elif kind == "resumed":
        run.resumed += 1
        run.finished_at = ""
    elif kind == "labels":
        labels = tuple(convert(v, Difficulty, where=str(run.folder)) for v in line["labels"])
        cost = (line.get("rollouts", 0), line.get("tokens", 0), line.get("cpu_seconds", 0.0))
        run.labels.append(Labels(line.get("stage", ""), labels, *cost))
    elif kind == "stage_started":
        run.stages.append(
            StageSpan(
                line["stage"], len(line.get("subjects", ())), line.get("rule", ""), line["spent_rollouts"]
            )
        )
    elif kind == "stage_finished" and run.stages:
        run.stages[-1].reason = line.get("reason", "")
        run.stages[-1].last_step = line.get("step", 0)
    elif kind == "checkpoint":
        run.weights_sha = line["checkpoint"]["policy"]["weights_sha"]
    elif kind == "finished":
        run.finished_at = str(line.get("at", "")) or "finished"
