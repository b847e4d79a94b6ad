"""What happened, in sentences. A tie is called a tie, and what was never reached is said."""

from __future__ import annotations

from pathlib import Path

from harness.contract import counted
from harness.support import count, percent
from harness_report.findings import ArmFindings, Findings


def sentences(findings: Findings) -> list[str]:
    """The study's result, most important first, each sentence standing alone."""
    return [
        s for s in (*_setting(findings), *_scores(findings), *_arrivals(findings), *_signal(findings)) if s
    ]


def lines(findings: Findings, page: Path) -> list[str]:
    """What the command line closes with: the headline, the sentences, where the page is."""
    return [headline(findings), *sentences(findings), f"Curves, difficulty and costs: {page}"]


def headline(findings: Findings) -> str:
    """One sentence: which arm won, or that none did."""
    if len(findings.arms) == 1:
        arm = findings.arms[0]
        change = f", from {percent(arm.before.mean)} before training" if arm.before else ""
        return f"{arm.name} ends at {_score(arm)} on {findings.heldout}{change}."
    best, base = findings.best_first[0], findings.arm(findings.baseline)
    top = [findings.arm(row.entry.recipe.arm).name for row in findings.ranked if row.rank == 1]
    if not findings.pairs:
        return "The arms were evaluated in different ways, so their scores do not compare."
    if len(top) == len(findings.arms):
        return f"No arm can be told apart from another on {findings.heldout}: a tie."
    gain = f"{100 * (best.final.mean - base.final.mean):.1f} points above {base.name}"
    if len(top) > 1:
        tied = [f"{name} ({percent(findings.arm(name).final.mean)})" for name in top]
        lead = f"A tie for the first place: {_and(tied)}"
        return f"{lead}." if base.name in top else f"{lead}; {best.name} is {gain}."
    lead = f"First place: {best.name} with {percent(best.final.mean)}"
    return f"{lead}." if base.name in top else f"{lead}, {gain}."


def _setting(findings: Findings) -> list[str]:
    study = findings.study
    seeds = sorted({run.seed for arm in findings.arms for run in arm.runs})
    out = []
    if findings.simulated:
        out.append("This is a simulation: outcomes come from a simulated student, not from a language model.")
    runs = sum(len(arm.runs) for arm in findings.arms)
    out.append(
        f"{counted(runs, 'run')} of recipe {study.recipe}: {counted(len(findings.arms), 'arm')}, "
        f"{counted(len(seeds), 'seed')} ({', '.join(map(str, seeds))}), "
        f"{_range([a.rollouts for a in findings.arms])} rollouts per run, difficulty measurement included, "
        "evaluation not."
    )
    if findings.unfinished:
        size = len(findings.unfinished)
        out.append(
            f"{counted(size, 'more run')} {'has' if size == 1 else 'have'} not finished and "
            f"{'is' if size == 1 else 'are'} left out."
        )
    if findings.unjudged:
        size = len(findings.unjudged)
        names = ", ".join(f"{run.arm}, seed {run.seed}" for run in findings.unjudged)
        out.append(
            f"{counted(size, 'finished run')} ({names}) {'is' if size == 1 else 'are'} left out: "
            f"the last evaluation has no score ({findings.unjudged[0].on(findings.heldout)[-1].reason})."
        )
    befores = [a.before.mean for a in findings.arms if a.before]
    if befores:
        out.append(
            f"Before training the model passes {percent(sum(befores) / len(befores))} of {findings.heldout}."
        )
    return out


def _scores(findings: Findings) -> list[str]:
    out = ["At the end: " + "; ".join(f"{a.name} {_score(a)}" for a in findings.best_first) + "."]
    if all(a.final.interval is None for a in findings.arms):
        out.append(
            "One seed per arm: the intervals are about the problems and say nothing about other seeds."
        )
    place = {row.entry.recipe.arm: i for i, row in enumerate(findings.ranked)}
    for pair in findings.pairs:
        if pair.worse != pair.better + 1:
            continue
        a, b = findings.best_first[pair.better].name, findings.best_first[pair.worse].name
        gap = f"{100 * pair.difference:.1f} points, p = {pair.p:.2g}"
        if pair.separated:
            out.append(f"{a} is ahead of {b} ({gap}).")
        else:
            out.append(f"{a} and {b} tie ({gap}; {100 * pair.detectable:.1f} points would have been seen).")
    base = place.get(findings.baseline)
    if findings.pairs and base is not None:
        far = [p for p in findings.pairs if base in (p.better, p.worse) and abs(p.better - p.worse) > 1]
        tied = [
            findings.best_first[p.worse if p.better == base else p.better].name
            for p in far
            if not p.separated
        ]
        if tied:
            out.append(f"Nor is {findings.baseline} separated from {_and(tied)}.")
    return out


def _arrivals(findings: Findings) -> list[str]:
    if len(findings.arms) == 1 and not findings.threshold_fixed:
        return []
    strata = findings.options.threshold_strata
    what = f"held-out strata {_and(list(strata))}" if strata else findings.heldout
    mark = percent(findings.threshold)
    if not findings.threshold_fixed:
        mark += f" (what {findings.baseline} ends with)"
    parts = []
    for arm in sorted(findings.arms, key=lambda a: a.passage.median or float("inf")):
        passage = arm.passage
        if passage.reached == 0:
            parts.append(f"{arm.name} never")
        elif passage.all_reached and passage.median is not None:
            parts.append(f"{arm.name} after {count(passage.median)}")
        else:
            size = len(passage.by_seed)
            parts.append(f"{arm.name} in {passage.reached} of {size} seeds only")
    return [f"First evaluation at {mark} of {what}, median rollouts over seeds: {', '.join(parts)}."]


def _signal(findings: Findings) -> list[str]:
    known = [a for a in findings.arms if a.zero_variance == a.zero_variance]
    if not known:
        return []
    parts = ", ".join(f"{a.name} {percent(a.zero_variance, 0)}" for a in known)
    return [f"Training groups that carried no signal, because all their advantages were 0: {parts}."]


def _score(arm: ArmFindings) -> str:
    if arm.final.interval is not None:
        low, high = max(arm.final.interval.low, 0.0), min(arm.final.interval.high, 1.0)
        return f"{percent(arm.final.mean)} ({100 * low:.1f} to {100 * high:.1f} over {len(arm.runs)} seeds)"
    bench = arm.entry.score.benchmark
    return f"{percent(arm.final.mean)} ({100 * bench.low:.1f} to {100 * bench.high:.1f} over problems)"


def _range(values: list[float]) -> str:
    low, high = min(values), max(values)
    return count(high) if low > 0.98 * high else f"{count(low)} to {count(high)}"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
