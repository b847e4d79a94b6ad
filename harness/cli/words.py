"""Studies and runs as plain lines and tables, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from harness.board.pages import count, duration
from harness.cli.tables import Table
from harness.errors import counted
from harness.readout import Evaluation, Run, Study
from harness.statistics import score_counts, spread

#: What stands in the place of an interval where every sample was an infra error.
UNJUDGED = "nothing could be judged"


def study_tables(study: Study) -> tuple[list[str], list[Table]]:
    """Opening lines and tables of a study: one row an arm and held-out set, over its seeds; stages and
    costs alone where nothing was evaluated."""
    lines = [f"{study.folder}: {study.recipe}, {study.state}"]
    if study.text:
        lines.append(study.text)
    if not study.heldouts:
        lines.append("no held-out set was evaluated, so there are no scores")
        unscored = [_unscored_row(study, arm) for arm in study.arms]
        return lines, [Table(["arm", "seeds", "stages", "rollouts", "tokens", "CPU"], unscored)]
    rows = [_arm_row(study, arm, heldout) for heldout in study.heldouts for arm in study.arms]
    columns = ["held-out", "arm", "seeds", "before", "last", "interval", "rollouts", "tokens", "CPU"]
    return lines, [Table(columns, rows)]


def _arm_row(study: Study, arm: str, heldout: str) -> list[str]:
    runs = [run for run in study.of(arm) if run.on(heldout)]
    if not runs:
        return [heldout, arm, "0", "-", "-", "-", "-", "-", "-"]
    judged = [run for run in runs if run.on(heldout)[-1].judged]
    if not judged:
        return [heldout, arm, str(len(runs)), "-", "-", UNJUDGED, *_costs(runs)]
    last = spread([run.on(heldout)[-1].rate for run in judged])
    first = sum(run.on(heldout)[0].rate for run in runs) / len(runs)
    size = len(runs)
    if last.interval is None:
        interval = _bounds(judged[0].on(heldout)[-1])
    else:
        interval = f"{_pct(max(last.interval.low, 0))} to {_pct(min(last.interval.high, 1))} over seeds"
    if len(judged) < size:
        interval += f"; of {len(judged)} seeds, in the others {UNJUDGED}"
    return [
        heldout,
        arm,
        str(size),
        _pct(first),
        _pct(last.mean),
        interval,
        *_costs(runs),
    ]


def _unscored_row(study: Study, arm: str) -> list[str]:
    runs = study.of(arm)
    stages = dict.fromkeys(stage.name for run in runs for stage in run.stages)
    return [arm, str(len(runs)), ", ".join(stages) or "-", *_costs(runs)]


def _costs(runs: Sequence[Run]) -> list[str]:
    """Means over runs of what was spent."""
    size = len(runs)
    return [
        count(sum(r.spent.rollouts for r in runs) / size),
        count(sum(r.spent.tokens for r in runs) / size),
        duration(sum(r.spent.cpu_seconds for r in runs) / size),
    ]


def run_tables(run: Run) -> tuple[list[str], list[Table]]:
    """Opening lines and tables of one run: its stages, then its evaluations."""
    model = run.opened.get("model", {})
    lines = [
        f"{run.folder}: arm {run.arm}, seed {run.seed}, {run.state}"
        + (f", resumed {counted(run.resumed, 'time')}" if run.resumed else ""),
        f"model {model.get('name', '?')}, weights {model.get('weights_sha', '?')}; "
        f"recipe {run.opened.get('recipe_sha', '?')}",
        f"spent {count(run.spent.rollouts)} rollouts, {count(run.spent.tokens)} tokens, "
        f"{duration(run.spent.cpu_seconds)} of CPU",
    ]
    if run.steps:
        last = run.steps[-1].metrics
        lines.append(
            f"last step: {last.stage} {last.step}, pass rate {_pct(last.pass_rate)}, "
            f"no signal in {_pct(last.zero_variance_groups)} of groups, {_pct(last.truncated)} truncated"
        )
    stages = [
        [
            s.name,
            s.rule or "-",
            str(s.subjects),
            count(s.begin_rollouts),
            str(s.last_step or "-"),
            s.reason or "running",
        ]
        for s in run.stages
    ]
    evaluations = [
        [e.name, e.heldout, e.stage or "-", str(e.step), count(e.spent.rollouts), _pct(e.rate), _bounds(e)]
        for e in run.evaluations
    ]
    return lines, [
        Table(["stage", "rule", "subjects", "from rollout", "steps", "ended"], stages),
        Table(["evaluation", "held-out", "stage", "step", "rollouts", "pass rate", "interval"], evaluations),
    ]


def _bounds(evaluation: Evaluation) -> str:
    """Both intervals where the problems are kept; nothing elsewhere."""
    if not evaluation.judged:
        return UNJUDGED
    counts = [c for c in evaluation.problems.values() if c.samples]
    if not counts:
        return ""
    made = score_counts([c.passes for c in counts], [c.samples for c in counts])
    rerun, bench = made.rerun, made.benchmark
    return f"rerun {_pct(rerun.low)} to {_pct(rerun.high)}, benchmark {_pct(bench.low)} to {_pct(bench.high)}"


def _pct(rate: float) -> str:
    return "-" if rate != rate else f"{100 * rate:.1f}%"
