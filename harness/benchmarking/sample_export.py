"""An evaluation's samples as parquet: answers with their verdicts, without the problems' texts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.benchmarking.at_hand import closed
from harness.benchmarking.folder import EvaluationFolder, open_folder
from harness.benchmarking.lines import ORIGINAL, Contents
from harness.board.dataset import SAMPLES, write_parquet
from harness.contract.errors import LedgerError
from harness.contract.records import Rollout, Verdict
from harness.plugging.plugins import Plugins
from harness.recording.blotting import blot
from harness.recording.ledger import read_raw
from harness.recording.shapes import LineDecoder


class _Line(msgspec.Struct):
    heldout: str
    rollout: Rollout
    verdict: Verdict
    tokens: int = 0
    prompt_tokens: int = 0


def write_samples(evaluation: Path, out: Path, plugins: Plugins) -> tuple[Path | None, list[str]]:
    """Write `data/samples/<evaluation>.parquet`, under the verdicts made while generating.

    An answer may quote its problem, so that the answers to a benchmark that its owner keeps gated, or that
    nobody knows not to be, are left out.

    Returns:
        The file, None if nothing may be written; and a line for each benchmark that is left out.

    Raises:
        LedgerError: no evaluation.
        PluginError: pyarrow is not installed.
    """
    folder = open_folder(evaluation)
    contents = Contents(folder.ledger)
    if not contents.opened:
        raise LedgerError("nothing has been recorded yet", where=str(evaluation))
    reasons = {name: closed(name, folder, plugins) for name in folder.asked.benchmarks}
    open_ones = {name for name, reason in reasons.items() if not reason}
    left_out = [f"samples of {name}: {reason}" for name, reason in reasons.items() if reason]
    model = contents.opened["model"]["name"]
    rows = list(_rows(folder, open_ones, model)) if open_ones else []
    if not rows:
        return None, left_out
    path = out / SAMPLES / f"{evaluation.resolve().name}.parquet"
    return write_parquet(rows, path), left_out


def _rows(folder: EvaluationFolder, benchmarks: set[str], model: str) -> Iterator[dict[str, Any]]:
    decoder = LineDecoder(_Line)
    last: dict[tuple[str, str, int], dict[str, Any]] = {}
    for kind, raw in read_raw(folder.ledger):
        if kind != "sample":
            continue
        line = decoder.decode(raw)
        key = line.rollout.key
        if line.heldout not in benchmarks or line.rollout.finish == "abort":
            continue
        # A sample that was asked for again replaces what was lost.
        last[line.heldout, key.task, key.sample] = {
            "model": blot(model), "benchmark": line.heldout, "task": key.task, "sample": key.sample,
            "status": line.verdict.status, "score": line.verdict.score,
            "extracted": None if line.verdict.extracted is None else blot(line.verdict.extracted),
            "reason": blot(line.verdict.reason), "verifier": line.verdict.verifier,
            "verifier_hash": line.verdict.verifier_hash, "finish": line.rollout.finish,
            "tokens": line.tokens, "prompt_tokens": line.prompt_tokens, "scoring": ORIGINAL,
            "response": blot(line.rollout.text),
        }  # fmt: skip
    yield from (last[place] for place in sorted(last))
