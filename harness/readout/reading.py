"""From ledgers to values, as a stream.

Only what a report needs is kept: one point a training step, one an evaluation, counts a stratum;
problems are kept for the first and the last evaluation of each held-out set alone. Memory therefore
does not grow with the number of samples. Texts are skipped without being decoded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import LedgerError
from harness.readout.folders import arms_of, recipe_of, run_folders
from harness.readout.lines import events
from harness.readout.study import Count, Evaluation, Labels, Run, StageSpan, Step, Study
from harness.records import Difficulty, StepMetrics, convert
from harness.spending import Spent


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
    run = Run(folder, arm, seed)
    drawn: dict[str, int] = {}
    first: dict[str, Evaluation] = {}
    for kind, line in events(folder / "ledger.jsonl"):
        if kind == "group":
            drawn[line.group.subject] = drawn.get(line.group.subject, 0) + 1
        elif kind == "step":
            metrics = convert(line["metrics"], StepMetrics, where=str(folder))
            run.steps.append(Step(metrics, _spent(line)))
            run.drawn.append(drawn)
            drawn = {}
        elif kind == "evaluation":
            _evaluation(run, line, first)
        else:
            _event(run, kind, line)
    return run


def _evaluation(run: Run, line: dict[str, Any], first: dict[str, Evaluation]) -> None:
    problems = convert(line.get("problems", {}), dict[str, Count], where=str(run.folder))
    strata = convert(line.get("strata", {}), dict[str, Count], where=str(run.folder))
    total = sum(c.samples for c in strata.values())
    judged = [c for c in problems.values() if c.samples]
    if judged:
        rate = sum(c.rate for c in judged) / len(judged)
    else:
        rate = sum(c.passes for c in strata.values()) / total if total else float("nan")
    made = Evaluation(
        line["name"],
        line["heldout"],
        line.get("stage", ""),
        line.get("step", 0),
        _spent(line),
        line.get("scores", {}),
        strata,
        problems,
        rate,
        line.get("cpu_seconds", 0.0),
        line.get("facts", {}),
    )
    before = [i for i, e in enumerate(run.evaluations) if e.heldout == made.heldout]
    if before and run.evaluations[before[-1]] is not first[made.heldout]:
        run.evaluations[before[-1]] = _light(run.evaluations[before[-1]])
    first.setdefault(made.heldout, made)
    run.evaluations.append(made)


def _light(e: Evaluation) -> Evaluation:
    return Evaluation(
        e.name, e.heldout, e.stage, e.step, e.spent, e.scores, e.strata, {}, e.rate, e.cpu_seconds, e.facts
    )


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


def _spent(line: dict[str, Any]) -> Spent:
    return Spent(
        line.get("spent_rollouts", 0), line.get("spent_tokens", 0), line.get("spent_cpu_seconds", 0.0)
    )
