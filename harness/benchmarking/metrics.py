"""Metrics of plugins over an evaluation's samples: read from the ledger, so that any metric can be asked for
at any time, of any judgement, without generating or judging anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from harness.benchmarking.folder import EvaluationFolder
from harness.benchmarking.lines import ORIGINAL, VerdictLine
from harness.benchmarking.recording import StoredSample
from harness.benchmarking.run import Prepared
from harness.errors import PluginError
from harness.ledger import read_raw
from harness.protocols import Metric, ScoredSample
from harness.recipe.stage import Use
from harness.records import Verdict

#: benchmark -> metric -> name of a number -> number
Measured = Mapping[str, Mapping[str, Mapping[str, float]]]


class _Sample(StoredSample):
    """A stored answer with its first judgement."""

    verdict: Verdict | None = None


def measured(
    folder: EvaluationFolder, prepared: Prepared, uses: Sequence[Use], benchmarks: Sequence[str], scoring: int
) -> Measured:
    """What each metric says about each benchmark's judged samples.

    Args:
        uses: metrics by name, with options.
        benchmarks: those with a complete score.
        scoring: the judgement; 0 is the one made while generating.

    Raises:
        UnknownName: no such metric.
        PluginError: a metric raised.
    """
    metrics: dict[str, Metric] = {
        use.name: prepared.plugins.registry.find("metrics", use.name, where="--metric").build(
            use.options, prepared.context, field_path="--metric"
        )
        for use in uses
    }
    out = {}
    for benchmark in benchmarks:
        samples = scored_samples(folder, prepared, benchmark, scoring)
        out[benchmark] = {name: _call(name, metric, samples) for name, metric in metrics.items()}
    return out


def scored_samples(
    folder: EvaluationFolder, prepared: Prepared, benchmark: str, scoring: int
) -> list[ScoredSample]:
    """A benchmark's judged samples, by problem and number of the sample."""
    (problems,) = [found for found in prepared.sets if found.name == benchmark]
    tasks = {task.id: task for task in problems.tasks}
    found: dict[tuple[str, int], ScoredSample] = {}
    stored = msgspec.json.Decoder(_Sample)
    for kind, raw in read_raw(folder.ledger):
        if kind == "sample":
            line = stored.decode(raw)
            key = line.rollout.key
            if line.heldout == benchmark and key.task in tasks and line.verdict is not None:
                found[key.task, key.sample] = ScoredSample(tasks[key.task], line.rollout, line.verdict)
        elif kind == "verdict" and scoring != ORIGINAL:
            head = msgspec.json.decode(raw, type=VerdictLine)
            place = (head.task, head.sample)
            if head.scoring == scoring and head.heldout == benchmark and place in found:
                verdict = msgspec.json.decode(raw, type=_Later).verdict
                found[place] = replace(found[place], verdict=verdict)
    judged = (sample for _, sample in sorted(found.items(), key=lambda item: item[0]))
    return [s for s in judged if s.verdict.status != "infra_error" and s.rollout.finish != "abort"]


class _Later(msgspec.Struct):
    verdict: Verdict


def _call(name: str, metric: Metric, samples: Sequence[ScoredSample]) -> dict[str, float]:
    try:
        return {key: float(value) for key, value in metric(samples).items()}
    except Exception as error:
        raise PluginError(
            f"metric {name!r} failed: {type(error).__name__}: {error}", where="--metric"
        ) from error
