"""Metrics of plugins over an evaluation's samples: read from the ledger, so that any metric can be asked for
at any time, of any judgement, without generating or judging anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from harness.benchmarking.folder import EvaluationFolder
from harness.benchmarking.lines import ORIGINAL, StoredSample, VerdictLine
from harness.benchmarking.run import Prepared
from harness.contract.errors import PluginError
from harness.contract.protocols import Metric, ScoredSample
from harness.contract.records import Verdict
from harness.recording.ledger import read_raw
from harness.recording.shapes import LineDecoder

#: benchmark -> metric -> name of a number -> number
Measured = Mapping[str, Mapping[str, Mapping[str, float]]]


class _Sample(StoredSample):
    """A stored answer with its first judgement."""

    verdict: Verdict | None = None


def measured(
    folder: EvaluationFolder,
    prepared: Prepared,
    asked: Mapping[str, Mapping[str, Any]],
    benchmarks: Sequence[str],
    scoring: int,
) -> Measured:
    """What each metric says about each benchmark's judged samples.

    Args:
        asked: options by name of the metric.
        benchmarks: those with a complete score.
        scoring: the judgement; 0 is the one made while generating.

    Raises:
        UnknownName: no such metric.
        RecipeError: an option does not fit.
        PluginError: a metric raised.
    """
    metrics: dict[str, Metric] = {
        name: prepared.plugins.registry.find("metrics", name, where="--metric").build(
            options, prepared.context, field_path=f"--metric {name}"
        )
        for name, options in asked.items()
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
    (problems,) = [one for one in prepared.sets if one.name == benchmark]
    tasks = {task.id: task for task in problems.tasks}
    samples: dict[tuple[str, int], ScoredSample] = {}
    stored, head_of, later_of = LineDecoder(_Sample), LineDecoder(VerdictLine), LineDecoder(_Later)
    for kind, raw in read_raw(folder.ledger):
        if kind == "sample":
            line = stored.decode(raw)
            key = line.rollout.key
            if line.heldout == benchmark and key.task in tasks and line.verdict is not None:
                samples[key.task, key.sample] = ScoredSample(tasks[key.task], line.rollout, line.verdict)
        elif kind == "verdict" and scoring != ORIGINAL:
            head = head_of.decode(raw)
            place = (head.task, head.sample)
            if head.scoring == scoring and head.heldout == benchmark and place in samples:
                verdict = later_of.decode(raw).verdict
                samples[place] = replace(samples[place], verdict=verdict)
    judged = (sample for _, sample in sorted(samples.items(), key=lambda item: item[0]))
    return [s for s in judged if s.verdict.judged]


class _Later(msgspec.Struct):
    verdict: Verdict


def _call(name: str, metric: Metric, samples: Sequence[ScoredSample]) -> dict[str, float]:
    try:
        return {key: float(value) for key, value in metric(samples).items()}
    except Exception as error:
        raise PluginError(
            f"metric {name!r} failed: {type(error).__name__}: {error}", where="--metric"
        ) from error
