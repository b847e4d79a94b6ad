"""Studies and runs as plain lines and tables, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from harness.cli.tables import Table
from harness.contract.errors import counted
from harness.contract.records import StepMetrics
from harness.readout import Evaluation, Run, Study
from harness.recording.spending import Spent
from harness.statistics import score_counts, spread
from harness.support.figures import count, dollars, duration, percent, sources


def study_tables(study: Study) -> tuple[list[str], list[Table]]:
    """Opening lines and tables of a study: one row per arm and held-out set, over the arm's seeds;
    only stages and costs if nothing was evaluated."""
    lines = [f"{study.folder}: {study.recipe}, {study.state}"]
    if study.text:
        lines.append(study.text)
    if not study.heldouts:
        lines.append("no held-out set was evaluated, so there are no scores")
        unscored = [_unscored_row(study, arm) for arm in study.arms]
        return lines, [Table(["arm", "seeds", "stages", *_cost_columns(study)], unscored)]
    rows = [_arm_row(study, arm, heldout) for heldout in study.heldouts for arm in study.arms]
    columns = ["held-out", "arm", "seeds", "before", "last", "interval", *_cost_columns(study)]
    return lines, [Table(columns, rows)]


def _cost_columns(study: Study) -> list[str]:
    """Headings of what is spent; one that only some engines fill is there if one of the runs has it."""
    spent = Spent.total(run.spent for run in study.runs)
    told = [("not returned", spent.unreturned), ("price", spent.usd), ("answered by", spent.sources)]
    return ["rollouts", "tokens", "CPU", *(column for column, value in told if value)]


def _arm_row(study: Study, arm: str, heldout: str) -> list[str]:
    runs = [run for run in study.of(arm) if run.on(heldout)]
    if not runs:
        return [heldout, arm, "0", *["-"] * (3 + len(_cost_columns(study)))]
    judged = [run for run in runs if run.on(heldout)[-1].judged]
    if not judged:
        why = runs[0].on(heldout)[-1].no_score
        return [heldout, arm, str(len(runs)), "-", "-", why, *_costs(study, runs, heldout)]
    last = spread([run.on(heldout)[-1].rate for run in judged])
    first = _mean([run.on(heldout)[0].rate for run in runs if run.on(heldout)[0].judged])
    size = len(runs)
    if last.interval is None:
        interval = _bounds(judged[0].on(heldout)[-1])
    else:
        interval = f"{percent(max(last.interval.low, 0))} to {percent(min(last.interval.high, 1))} over seeds"
    if len(judged) < size:
        reason = next(run.on(heldout)[-1].reason for run in runs if run not in judged)
        interval += f"; of {len(judged)} seeds, the others have no score ({reason})"
    return [
        heldout,
        arm,
        str(size),
        percent(first),
        percent(last.mean),
        interval,
        *_costs(study, runs, heldout),
    ]


def _unscored_row(study: Study, arm: str) -> list[str]:
    runs = study.of(arm)
    stages = dict.fromkeys(stage.name for run in runs for stage in run.stages)
    return [arm, str(len(runs)), ", ".join(stages) or "-", *_costs(study, runs)]


def _costs(study: Study, runs: Sequence[Run], heldout: str | None = None) -> list[str]:
    """Means over runs of what was spent, for the scores on a held-out set; who answered, over all of them."""
    size = len(runs)
    spent = Spent.total(run.spent if heldout is None else run.spent_on(heldout) for run in runs)
    cells = {
        "rollouts": count(spent.rollouts / size),
        "tokens": count(spent.tokens / size),
        "CPU": duration(spent.cpu_seconds / size),
        "not returned": count(spent.unreturned / size),
        "price": dollars(spent.usd / size),
        "answered by": sources(spent.sources) or "-",
    }
    return [cells[column] for column in _cost_columns(study)]


def run_tables(run: Run) -> tuple[list[str], list[Table]]:
    """Opening lines and tables of one run: its stages, then its evaluations."""
    model = run.opened.get("model", {})
    lines = [
        f"{run.folder}: arm {run.arm}, seed {run.seed}, {run.state}"
        + (f", resumed {counted(run.resumed, 'time')}" if run.resumed else ""),
        f"model {model.get('name', '?')}, weights {model.get('weights_sha') or 'unknown'}; "
        f"recipe {run.opened.get('recipe_sha', '?')}",
        f"spent {count(run.spent.rollouts)} rollouts, {count(run.spent.tokens)} tokens, "
        f"{duration(run.spent.cpu_seconds)} of CPU" + _told(run.spent),
    ]
    if run.spent.sources:
        lines.append(f"answered by {sources(run.spent.sources)}")
    if run.steps:
        last = run.steps[-1].metrics
        rates = (
            f"pass rate {percent(last.pass_rate)}, "
            f"no signal in {percent(last.zero_variance_groups)} of groups, "
            f"{percent(last.truncated)} truncated"
        )
        if last.unjudged:
            rates += f", {percent(last.unjudged)} not judged"
        told = nothing_judged(last) if last.unjudged >= 1 else rates
        lines.append(f"last step: {last.stage} {last.step}, {told}")
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
        [e.name, e.heldout, e.stage or "-", str(e.step), count(e.spent.rollouts), percent(e.rate), _bounds(e)]
        for e in run.evaluations
    ]
    return lines, [
        Table(["stage", "rule", "subjects", "from rollout", "steps", "ended"], stages),
        Table(["evaluation", "held-out", "stage", "step", "rollouts", "pass rate", "interval"], evaluations),
    ]


def _told(spent: Spent) -> str:
    """What an engine told of its costs."""
    unreturned = f"; {count(spent.unreturned)} of the tokens were not returned" if spent.unreturned else ""
    return unreturned + (f"; {dollars(spent.usd)}" if spent.usd else "")


def nothing_judged(step: StepMetrics) -> str:
    """What stands in the place of a step's rates if it has none."""
    return f"none of {counted(step.rollouts, 'rollout')} could be judged"


def _bounds(evaluation: Evaluation) -> str:
    """Both intervals if the problems are kept, else nothing."""
    if not evaluation.judged:
        return evaluation.no_score
    counts = [c for c in evaluation.problems.values() if c.samples]
    if not counts:
        return ""
    made = score_counts([c.passes for c in counts], [c.samples for c in counts])
    rerun, bench = made.rerun, made.benchmark
    low, high = percent(bench.low), percent(bench.high)
    return f"rerun {percent(rerun.low)} to {percent(rerun.high)}, benchmark {low} to {high}"


def _mean(rates: Sequence[float]) -> float:
    """nan without any."""
    return sum(rates) / len(rates) if rates else float("nan")
