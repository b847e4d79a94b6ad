"""Where each evaluation of a suite stands before a call: refused, complete, or waiting for its rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.benchmarking.expected import expected
from harness.benchmarking.folder import open_folder
from harness.benchmarking.metering import Meter
from harness.benchmarking.reading import NothingRecorded, read_evaluation
from harness.benchmarking.run import Prepared, prepare_judging, verifier_specs
from harness.benchmarking.silence import silences
from harness.benchmarking.suite import Cell
from harness.benchmarking.suite_run import UNANSWERED, Progress
from harness.contract.errors import HarnessError
from harness.plugging.plugins import Plugins


def prepared_cells(cells: Sequence[Cell], plugins: Plugins, seconds: Mapping[str, float]) -> list[Progress]:
    """The evaluations with what each is to generate; one whose data or judge is not there is refused.

    Args:
        seconds: of earlier calls, by the name of the evaluation's folder.
    """
    return [_prepared(cell, plugins, seconds) for cell in cells]


def _prepared(cell: Cell, plugins: Plugins, seconds: Mapping[str, float]) -> Progress:
    if cell.folder is None:
        return Progress(cell, None, None, "refused", reason=cell.fault)
    try:
        prepared = prepare_judging(cell.folder.asked, plugins)
        verifier_specs(prepared)
        (wanted,) = expected(prepared)
        code = _complete(cell, prepared)
    except HarnessError as error:
        return Progress(
            replace(cell, folder=None, fault=str(error)), None, None, "refused", reason=str(error)
        )
    meter = Meter(cell.folder.ledger)
    meter.read()
    made = Progress(
        cell, wanted, meter, tokens_before=meter.tokens,
        seconds_before=seconds.get(cell.folder.folder.name, 0.0),
    )  # fmt: skip
    if code is not None:
        made.state, made.code = "done", code
    return made


def _complete(cell: Cell, prepared: Prepared) -> int | None:
    """The exit code of an evaluation that has its score already, of these problems; None of any other."""
    assert cell.folder is not None
    if not cell.folder.ledger.exists() or open_folder(cell.folder.folder).asked != cell.folder.asked:
        return None
    try:
        evaluated = read_evaluation(cell.folder.folder)
    except NothingRecorded:
        return None
    (problems,) = prepared.sets
    if evaluated.opened["profile"].get(problems.name, {}).get("data_sha") != problems.sha:
        return None
    if any(result.refusal for result in evaluated.results):
        return None
    return UNANSWERED if list(silences(evaluated)) else 0
