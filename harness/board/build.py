"""Entries from a study: one for each arm and held-out set whose runs have all finished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

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
    SourcePart,
    StratumPart,
)
from harness.contract.errors import LedgerError
from harness.contract.records import digest
from harness.evaluating.scores import pass_ks
from harness.readout import Evaluation, Run, Study, recipe_of
from harness.recipe.load import merged
from harness.recording.spending import Spent
from harness.statistics.tally import Counts, total

#: Fields of a profile that hold for answers which others sampled.
JUDGING: Final = ("name", "version", "hash", "data_sha", "samples")


def entries(study: Study, board: str, source: SourcePart | None = None) -> list[Entry]:
    """Entries of every arm and held-out set, in the study's order.

    Args:
        source: where imported answers come from; makes the entries `rejudged`.

    Raises:
        LedgerError: a run has not finished, or has no final evaluation; or imported answers have no source,
            or others have one.
    """
    for run in study.runs:
        if run.opened.get("adaptive"):
            raise LedgerError(
                "an adaptive evaluation has an ability and no score: it stands on no board, where it "
                "would be held against scores over all problems",
                where=str(run.folder), hint="harness eval without --adaptive asks all of them",
            )  # fmt: skip
    return [entry(study, arm, heldout, board, source) for heldout in study.heldouts for arm in study.arms]


def imported(study: Study) -> bool:
    """Whether its answers were another tool's: no engine of ours generated them."""
    opened = [run.opened for run in study.runs]
    return any(line.get("kind") == "evaluation" and not line.get("engine") for line in opened)


def _check_source(study: Study, source: SourcePart | None) -> None:
    if imported(study) and source is None:
        raise LedgerError(
            "its answers were imported, so an entry of them is rejudged and says where they come from",
            where=str(study.folder), hint="harness board add RUN --source SOURCE.toml",
        )  # fmt: skip
    if source is not None and not imported(study):
        raise LedgerError(
            "its answers were generated here: the entry is measured, and has no source",
            where=str(study.folder),
        )


def entry(study: Study, arm: str, heldout: str, board: str, source: SourcePart | None = None) -> Entry:
    """The entry of one arm on one held-out set, over all of its seeds; raises as `entries`."""
    _check_source(study, source)
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
    if source is not None:
        # How these answers were sampled is the source's matter, whatever the profile that judged them says.
        profile = {name: profile[name] for name in JUDGING if name in profile}
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
            simulated=any(run.simulated for run in runs),
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
                rollouts=run.spent_on(heldout).rollouts,
            )
            for run, final, before in zip(runs, finals, befores, strict=True)
        ),
        cost=_cost(runs, heldout),
        health=_health(finals, ids, per_seed),
        verifiers=facts.get("verifiers") or first["verifiers"],
        plugins=tuple(
            PluginPart(name=p["name"], distribution=p["distribution"], version=p["version"])
            for p in first.get("plugins", ())
        ),
        hardware=first.get("environment", {}),
        finished=max(run.finished_at for run in runs),
        problems=pooled(finals),
        answers=_answers(finals),
        kind="measured" if source is None else "rejudged",
        source=source,
    )


def score(evaluations: Sequence[Evaluation], per_seed: int) -> ScorePart:
    """avg@k over seeds and problems; a problem's samples of all seeds are its samples."""
    counts = pooled(evaluations)
    passes, samples = zip(*counts.values(), strict=True)
    made = statistics.score_counts(passes, samples)
    means = statistics.spread([e.score() for e in evaluations])
    wide = [k for k in pass_ks(per_seed) if k > 1]
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
    members: dict[str, list[Counts]] = {}
    for evaluation in evaluations:
        for problem, counts in evaluation.problems.items():
            members.setdefault(problem, []).append(counts)
    totals = {name: total(members[name]) for name in sorted(members)}
    return {name: (made.passes, made.samples) for name, made in totals.items() if made.samples}


def _answers(finals: Sequence[Evaluation]) -> dict[str, str]:
    """problem -> hash of its answers, of all seeds' in their order if there are several; {} if one lacks
    them."""
    if not all(final.answers for final in finals):
        return {}
    if len(finals) == 1:
        return dict(sorted(finals[0].answers.items()))
    names = sorted({name for final in finals for name in final.answers})
    return {name: digest([final.answers.get(name, "") for final in finals]) for name in names}


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


def _named(run: Run, heldout: str, name: str) -> Evaluation | None:
    evaluations = [e for e in run.on(heldout) if e.name == name and (e.problems or e.refused)]
    return evaluations[-1] if evaluations else None


def _before(run: Run, heldout: str) -> Evaluation | None:
    evaluation = _named(run, heldout, "before")
    return evaluation if evaluation is not None and evaluation.judged else None


def _final(run: Run, heldout: str) -> Evaluation:
    evaluation = _named(run, heldout, "final")
    if evaluation is None:
        raise LedgerError(
            f"arm {run.arm!r}, seed {run.seed} has no final evaluation of {heldout!r}", where=str(run.folder)
        )
    if not evaluation.judged:
        raise LedgerError(
            f"arm {run.arm!r}, seed {run.seed}: {heldout!r} has {evaluation.no_score}",
            where=str(run.folder),
            hint="harness run --resume asks again for what was lost",
        )
    return evaluation


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
    members: dict[str, list[Counts]] = {}
    for final in finals:
        for name, counts in final.strata.items():
            if counts.samples:
                members.setdefault(name, []).append(counts)
    out = {}
    for name, counted in members.items():
        made = total(counted)
        interval = statistics.wilson(made.passes, made.samples)
        out[name] = StratumPart(
            value=made.rate,
            low=interval.low,
            high=interval.high,
            problems=max(c.problems for c in counted),
            samples=made.samples,
        )
    return out


def _cost(runs: Sequence[Run], heldout: str) -> CostPart:
    size = len(runs)
    spent = Spent.total(run.spent_on(heldout) for run in runs)
    return CostPart(
        rollouts=spent.rollouts / size,
        tokens=spent.tokens / size,
        cpu_seconds=spent.cpu_seconds / size,
        unreturned=spent.unreturned / size,
        usd=spent.usd / size,
        sources=spent.sources,
        evaluation_cpu_seconds=sum(e.cpu_seconds for r in runs if r.trains for e in r.evaluations) / size,
    )


def _health(finals: Sequence[Evaluation], ids: Sequence[str], per_seed: int) -> HealthPart:
    counts = [c for e in finals for c in e.problems.values()]
    made = total(counts)
    absent = len(finals) * len(ids) - len(counts)
    return HealthPart(
        truncated=made.truncated / made.samples,
        no_answer=made.no_answer / made.samples,
        infra_errors=made.infra,
        missing=sum(max(per_seed - c.samples - c.infra, 0) for c in counts) + absent * per_seed,
        tokens=made.tokens / made.samples,
    )
