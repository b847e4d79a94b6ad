"""What happened, in sentences. A tie is called a tie, and what was never reached is said."""

from __future__ import annotations

from pathlib import Path

from harness.board.pages import count
from harness_report.findings import ArmFindings, Findings


def percent(rate: float) -> str:
    return f"{100 * rate:.1f} %"


def sentences(found: Findings) -> list[str]:
    """The study's result, most important first, each sentence standing alone."""
    return [s for s in (*_setting(found), *_scores(found), *_arrivals(found), *_signal(found)) if s]


def lines(found: Findings, page: Path | None) -> list[str]:
    """What the command line closes with: the headline, the sentences, where the page is."""
    where = [] if page is None else [f"Curves, difficulty and costs: {page}"]
    return [headline(found), *sentences(found), *where]


def headline(found: Findings) -> str:
    """One sentence: who won, or that nobody did."""
    if len(found.arms) == 1:
        arm = found.arms[0]
        change = f", from {percent(arm.before.mean)} before training" if arm.before else ""
        return f"{arm.name} ends at {_score(arm)} on {found.heldout}{change}."
    best, base = found.best_first[0], found.arm(found.baseline)
    top = [found.arm(row.entry.recipe.arm).name for row in found.ranked if row.rank == 1]
    if not found.pairs:
        return "The arms were evaluated in different ways, so their scores do not compare."
    if len(top) == len(found.arms):
        return f"No arm can be told apart from another on {found.heldout}: a tie."
    gain = f"{100 * (best.final.mean - base.final.mean):.1f} points above {base.name}"
    if len(top) > 1:
        lead = (
            f"A tie for the first place: {_and([f'{n} ({percent(found.arm(n).final.mean)})' for n in top])}"
        )
        return f"{lead}." if base.name in top else f"{lead}; {best.name} is {gain}."
    lead = f"First place: {best.name} with {percent(best.final.mean)}"
    return f"{lead}." if base.name in top else f"{lead}, {gain}."


def _setting(found: Findings) -> list[str]:
    study = found.study
    seeds = sorted({run.seed for arm in found.arms for run in arm.runs})
    out = []
    if found.simulated:
        out.append("This is a simulation: outcomes come from a simulated student, not from a language model.")
    runs = sum(len(arm.runs) for arm in found.arms)
    out.append(
        f"{runs} {_plural('run', runs)} of recipe {study.recipe}: {len(found.arms)} "
        f"{_plural('arm', len(found.arms))}, {_plural('seed', len(seeds))} {', '.join(map(str, seeds))}, "
        f"{_range([a.rollouts for a in found.arms])} rollouts a run, difficulty measurement included, "
        "evaluation not."
    )
    if found.unfinished:
        size = len(found.unfinished)
        out.append(
            f"{size} more {_plural('run', size)} "
            f"{'has' if size == 1 else 'have'} not finished and {'is' if size == 1 else 'are'} left out."
        )
    if found.unjudged:
        size = len(found.unjudged)
        names = ", ".join(f"{run.arm}, seed {run.seed}" for run in found.unjudged)
        out.append(
            f"{size} finished {_plural('run', size)} ({names}) {'is' if size == 1 else 'are'} left out: "
            "no sample of the last evaluation could be judged."
        )
    befores = [a.before.mean for a in found.arms if a.before]
    if befores:
        out.append(
            f"Before training the model passes {percent(sum(befores) / len(befores))} of {found.heldout}."
        )
    return out


def _scores(found: Findings) -> list[str]:
    out = ["At the end: " + "; ".join(f"{a.name} {_score(a)}" for a in found.best_first) + "."]
    if all(a.final.interval is None for a in found.arms):
        out.append("One seed an arm: the intervals are about the problems and say nothing of other seeds.")
    place = {row.entry.recipe.arm: i for i, row in enumerate(found.ranked)}
    for pair in found.pairs:
        if pair.worse != pair.better + 1:
            continue
        a, b = found.best_first[pair.better].name, found.best_first[pair.worse].name
        gap = f"{100 * pair.difference:.1f} points, p = {pair.p:.2g}"
        if pair.separated:
            out.append(f"{a} is ahead of {b} ({gap}).")
        else:
            out.append(f"{a} and {b} tie ({gap}; {100 * pair.detectable:.1f} points would have been seen).")
    base = place.get(found.baseline)
    if found.pairs and base is not None:
        far = [p for p in found.pairs if base in (p.better, p.worse) and abs(p.better - p.worse) > 1]
        tied = [
            found.best_first[p.worse if p.better == base else p.better].name for p in far if not p.separated
        ]
        if tied:
            out.append(f"Nor is {found.baseline} separated from {_and(tied)}.")
    return out


def _arrivals(found: Findings) -> list[str]:
    if len(found.arms) == 1 and not found.threshold_fixed:
        return []
    strata = found.options.threshold_strata
    what = f"held-out strata {_and(list(strata))}" if strata else found.heldout
    mark = percent(found.threshold)
    if not found.threshold_fixed:
        mark += f" (what {found.baseline} ends with)"
    parts = []
    for arm in sorted(found.arms, key=lambda a: a.passage.median or float("inf")):
        passage = arm.passage
        if passage.reached == 0:
            parts.append(f"{arm.name} never")
        elif passage.all_reached and passage.median is not None:
            parts.append(f"{arm.name} after {count(passage.median)}")
        else:
            size = len(passage.by_seed)
            parts.append(f"{arm.name} in {passage.reached} of {size} seeds only")
    return [f"First evaluation at {mark} of {what}, median rollouts over seeds: {', '.join(parts)}."]


def _signal(found: Findings) -> list[str]:
    known = [a for a in found.arms if a.zero_variance == a.zero_variance]
    if not known:
        return []
    parts = ", ".join(f"{a.name} {100 * a.zero_variance:.0f} %" for a in known)
    return [f"Training groups that carried no signal, because all rewards were alike: {parts}."]


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


def _plural(word: str, number: int) -> str:
    return word if number == 1 else word + "s"
