"""Entries from a study: one for each arm and held-out set whose runs have all finished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from harness import statistics
from harness.board.entry import (
    BenchmarkPart,
    Bounds,
    CostPart,
    Entry,
    HealthPart,
    ModelPart,
    PluginPart,
    RecipePart,
    ScorePart,
    SeedPart,
    StratumPart,
)
from harness.errors import LedgerError
from harness.readout import Count, Evaluation, Run, Study, recipe_of
from harness.recipe.load import merged
from harness.records import digest

#: pass@k is given for these k, where there are as many samples.
PASS_AT = (2, 4, 8, 16, 32, 64)


def entries(study: Study, board: str) -> list[Entry]:
    """Entries of every arm and held-out set, in the study's order.

    Raises:
        LedgerError: a run has not finished, or has no final evaluation.
    """
    return [entry(study, arm, heldout, board) for heldout in study.heldouts for arm in study.arms]


def entry(study: Study, arm: str, heldout: str, board: str) -> Entry:
    """The entry of one arm on one held-out set, over all of its seeds."""
    runs = study.of(arm)
    for run in runs:
        if run.state != "finished":
            raise LedgerError(
                f"arm {arm!r}, seed {run.seed} has not finished, so it has no score",
                where=str(run.folder),
                hint="harness run --resume",
            )
    finals = [_final(run, heldout) for run in runs]
    befores = [_before(run, heldout) for run in runs]
    first = runs[0].opened
    recipe = first.get("recipe") or arm_recipe(study, arm)
    facts = finals[0].facts
    profile = dict(facts["profile"]) if facts else _profile(recipe, heldout)
    most = max((c.samples for e in finals for c in e.problems.values()), default=0)
    per_seed = int(profile.get("samples", most))
    ids = sorted({p for e in finals for p in e.problems})
    trainer = _name_of(recipe.get("trainer", ""))
    measured = [b for b in befores if b is not None]
    return Entry(
        board=board,
        model=ModelPart(
            name=first["model"]["name"],
            weights_sha=first["model"]["weights_sha"],
            context_length=first["model"].get("context_length"),
        ),
        recipe=RecipePart(
            name=study.recipe,
            sha=first["recipe_sha"],
            arm=arm,
            about=study.about.get(arm, ""),
            trainer=trainer,
            simulated=simulated(trainer),
        ),
        benchmark=BenchmarkPart(
            name=heldout,
            version=str(facts.get("version") or first["data_sha"]),
            problems_sha=digest(ids),
            problems=len(ids),
            samples=per_seed,
            profile=profile,
            profile_sha=digest(profile),
        ),
        score=score(finals, per_seed),
        before=score(measured, per_seed) if len(measured) == len(runs) else None,
        strata=_strata(finals),
        seeds=tuple(
            SeedPart(
                seed=run.seed,
                value=final.score(),
                before=None if before is None else before.score(),
                weights_sha=run.weights_sha,
                rollouts=run.spent.rollouts,
            )
            for run, final, before in zip(runs, finals, befores, strict=True)
        ),
        cost=_cost(runs),
        health=_health(finals, ids, per_seed),
        verifiers=facts.get("verifiers") or first["verifiers"],
        plugins=tuple(
            PluginPart(name=p["name"], distribution=p["distribution"], version=p["version"])
            for p in first.get("plugins", ())
        ),
        hardware=first.get("environment", {}),
        finished=max(run.finished_at for run in runs),
        problems=pooled(finals),
    )


def score(evaluations: Sequence[Evaluation], per_seed: int) -> ScorePart:
    """avg@k over seeds and problems; a problem's samples of all seeds are its samples."""
    counts = pooled(evaluations)
    passes, samples = zip(*counts.values(), strict=True)
    made = statistics.score_counts(passes, samples)
    means = statistics.spread([e.score() for e in evaluations])
    wide = [k for k in PASS_AT if k <= per_seed]
    pass_at = {}
    if wide:
        per_run = [
            statistics.pass_at_k(
                [c.passes for c in e.problems.values()], [c.samples for c in e.problems.values()], wide
            ).mean(axis=1)
            for e in evaluations
            if min(c.samples for c in e.problems.values()) >= max(wide)
        ]
        if len(per_run) == len(evaluations):
            pass_at = {str(k): float(v) for k, v in zip(wide, np.mean(per_run, axis=0), strict=True)}
    return ScorePart(
        metric=f"avg@{per_seed}",
        value=made.value,
        rerun=bounds(made.rerun),
        benchmark=bounds(made.benchmark),
        seeds=None if means.interval is None else bounds(means.interval),
        pass_at=pass_at,
    )


def pooled(evaluations: Iterable[Evaluation]) -> dict[str, tuple[int, int]]:
    """problem -> (passes, samples) over evaluations of the same held-out set, sorted by id."""
    totals: dict[str, tuple[int, int]] = {}
    for evaluation in evaluations:
        judged = {k: c for k, c in evaluation.problems.items() if c.samples}
        for problem, count in judged.items():
            c, n = totals.get(problem, (0, 0))
            totals[problem] = (c + count.passes, n + count.samples)
    return {k: totals[k] for k in sorted(totals)}


def bounds(interval: statistics.Interval) -> Bounds:
    """An interval of a rate as an entry holds it, cut to [0, 1]."""
    return Bounds(
        low=min(max(interval.low, 0.0), 1.0),
        high=min(max(interval.high, 0.0), 1.0),
        se=interval.se if interval.se == interval.se else None,
        method=interval.method,
        level=interval.level,
    )


def arm_recipe(study: Study, arm: str) -> dict[str, Any]:
    """The recipe's values for one arm as the study's folder holds them; {} when it holds none."""
    values = recipe_of(study.folder)
    for variant in values.get("arms", []):
        if variant.get("name") == arm:
            return merged(values, variant.get("set", {}))
    return values


def simulated(trainer: str) -> bool:
    """Whether a trainer says of itself that its outcomes are simulated."""
    from harness.plugins import load

    known = {r.full_name: r for r in load().registry.all("trainers")}
    return trainer in known and bool(known[trainer].capabilities.get("simulated", False))


def _named(run: Run, heldout: str, name: str) -> Evaluation | None:
    found = [e for e in run.on(heldout) if e.name == name and e.problems]
    return found[-1] if found else None


def _before(run: Run, heldout: str) -> Evaluation | None:
    found = _named(run, heldout, "before")
    return found if found is not None and found.judged else None


def _final(run: Run, heldout: str) -> Evaluation:
    found = _named(run, heldout, "final")
    if found is None:
        raise LedgerError(
            f"arm {run.arm!r}, seed {run.seed} has no final evaluation of {heldout!r}", where=str(run.folder)
        )
    if not found.judged:
        raise LedgerError(f"no sample of {heldout!r} could be judged", where=str(run.folder))
    return found


def _profile(recipe: Mapping[str, Any], heldout: str) -> dict[str, Any]:
    """What fixes how a held-out set is sampled, with the defaults written out."""
    from harness.recipe import Heldout

    for table in recipe.get("evaluation", {}).get("heldout", []):
        if table.get("name", "heldout") == heldout:
            made = Heldout.model_validate(table).model_dump(mode="json")
            return {
                k: made[k] for k in ("temperature", "top_p", "max_tokens", "samples", "per_stratum", "limit")
            }
    return {}


def _name_of(use: Any) -> str:
    return str(use.get("name", "")) if isinstance(use, Mapping) else str(use)


def _strata(finals: Sequence[Evaluation]) -> dict[str, StratumPart]:
    totals: dict[str, list[Count]] = {}
    for final in finals:
        for name, count in final.strata.items():
            if count.samples:
                totals.setdefault(name, []).append(count)
    out = {}
    for name, counts in totals.items():
        samples = sum(c.samples for c in counts)
        interval = statistics.wilson(sum(c.passes for c in counts), samples)
        out[name] = StratumPart(
            value=sum(c.passes for c in counts) / samples,
            low=interval.low,
            high=interval.high,
            problems=max(c.problems for c in counts),
            samples=samples,
        )
    return out


def _cost(runs: Sequence[Run]) -> CostPart:
    size = len(runs)
    return CostPart(
        rollouts=sum(r.spent.rollouts for r in runs) / size,
        tokens=sum(r.spent.tokens for r in runs) / size,
        cpu_seconds=sum(r.spent.cpu_seconds for r in runs) / size,
        evaluation_cpu_seconds=sum(e.cpu_seconds for r in runs for e in r.evaluations) / size,
    )


def _health(finals: Sequence[Evaluation], ids: Sequence[str], per_seed: int) -> HealthPart:
    counts = [c for e in finals for c in e.problems.values()]
    samples = sum(c.samples for c in counts)
    absent = len(finals) * len(ids) - len(counts)
    return HealthPart(
        truncated=sum(c.truncated for c in counts) / samples,
        no_answer=sum(c.no_answer for c in counts) / samples,
        infra_errors=sum(c.infra for c in counts),
        missing=sum(max(per_seed - c.samples - c.infra, 0) for c in counts) + absent * per_seed,
        tokens=sum(c.tokens for c in counts) / samples,
    )
