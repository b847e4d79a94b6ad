"""Where outcomes come from: ledgers of evaluations, label files, tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from harness.contract import DataError, Difficulty, Rollout, Verdict, convert
from harness.recording import read


@dataclass(slots=True)
class Cell:
    """What is known of one configuration on one item."""

    samples: float = 0.0
    #: Sum of the scores, so that partial scores count as far as they go.
    passes: float = 0.0
    tokens: float = 0.0
    usd: float = 0.0


#: item -> cell
Cells = dict[str, Cell]


def ledger_of(place: Path) -> Path:
    """The ledger of an evaluation's folder, or the file itself.

    Raises:
        DataError: there is none, or several.
    """
    if place.is_file():
        return place
    ledgers = sorted(place.glob("**/ledger.jsonl"))
    if len(ledgers) != 1:
        raise DataError(
            f"{len(ledgers)} ledgers", where=str(place), allowed="the folder of one evaluation, or a ledger",
            hint="name each run by itself",
        )  # fmt: skip
    return ledgers[0]


def from_ledger(place: Path, benchmark: str | None = None) -> Cells:
    """The judged samples of an evaluation, under the last judgement of each.

    Args:
        place: folder of an evaluation (`harness eval`, `harness score --import`), or its ledger.
        benchmark: only this one; None for all.

    Raises:
        DataError: no ledger, or no judged sample in it.
    """
    path = ledger_of(place)
    rollouts: dict[tuple[str, str, int], Rollout] = {}
    verdicts: dict[tuple[str, str, int], Verdict] = {}
    for line in read(path):
        if line["t"] not in ("sample", "verdict") or (benchmark and line["heldout"] != benchmark):
            continue
        verdict = convert(line["verdict"], Verdict, where=str(path))
        if line["t"] == "sample":
            rollout = convert(line["rollout"], Rollout, where=str(path))
            key = (line["heldout"], rollout.key.task, rollout.key.sample)
            rollouts[key] = rollout
        else:
            key = (line["heldout"], line["task"], line["sample"])
        verdicts[key] = verdict
    cells: Cells = {}
    for key, rollout in rollouts.items():
        verdict = verdicts[key]
        if not verdict.judged or verdict.score is None:
            continue
        cell = cells.setdefault(key[1], Cell())
        cell.samples += 1
        cell.passes += verdict.score
        cell.tokens += rollout.generated
        cell.usd += rollout.cost.usd
    if not cells:
        raise DataError("no judged sample" + (f" of {benchmark!r}" if benchmark else ""), where=str(path))
    return cells


def from_labels(labels: Mapping[str, Difficulty]) -> Cells:
    """The counted samples of a model's labels; predicted rates count nothing and are left out."""
    return {
        subject: Cell(float(label.samples), float(label.passes))
        for subject, label in labels.items()
        if label.samples
    }


def from_label_file(path: Path) -> Cells:
    """As `from_labels`, of the lines that `harness show --labels` prints: subject, samples, passes.

    Raises:
        DataError: no such file, a row that is none, or no row with samples.
    """
    cells: Cells = {}
    for where, row in _rows(path):
        try:
            subject, samples, passes = str(row["subject"]), float(row["samples"]), float(row["passes"])
        except (KeyError, TypeError, ValueError):
            raise DataError(
                f"a row with {sorted(row)}", where=where, allowed="subject, samples and passes"
            ) from None
        if samples:
            cells[subject] = Cell(samples, passes)
    if not cells:
        raise DataError("no label counts a sample", where=str(path))
    return cells


def from_table(path: Path) -> dict[str, Cells]:
    """Rows of a jsonl file: configuration, item, passes, and samples (1 if not given).

    Raises:
        DataError: no such file, or a row that is none.
    """
    table: dict[str, Cells] = {}
    for where, row in _rows(path):
        try:
            name, item = str(row["configuration"]), str(row["item"])
            samples, passes = float(row.get("samples", 1)), float(row["passes"])
        except (KeyError, TypeError, ValueError):
            raise DataError(
                f"a row with {sorted(row)}", where=where,
                allowed="configuration, item, passes, and samples or none (which means 1)",
            ) from None  # fmt: skip
        cell = table.setdefault(name, {}).setdefault(item, Cell())
        cell.samples += samples
        cell.passes += passes
        cell.tokens += float(row.get("tokens", 0.0))
    return table


def texts_of(path: Path) -> dict[str, str]:
    """Texts of items, from a jsonl file with `id` (or `item`) and `problem` (or `text`, `prompt`).

    Raises:
        DataError: no such file, or a row without them.
    """
    texts = {}
    for where, row in _rows(path):
        name = row.get("item", row.get("id"))
        text = row.get("text", row.get("problem", row.get("prompt")))
        if name is None or not isinstance(text, str):
            raise DataError(f"a row with {sorted(row)}", where=where, allowed="id and problem")
        texts[str(name)] = text
    return texts


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if not path.is_file():
        raise DataError("no such file", where=str(path))
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        if line.strip():
            where = f"{path}, line {number}"
            try:
                yield where, msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.DecodeError, msgspec.ValidationError) as error:
                raise DataError(f"not a JSON object: {error}", where=where) from None


def mean_tokens(cells: Cells) -> float | None:
    """Tokens generated per sample; None if none were counted."""
    samples, tokens = sum(c.samples for c in cells.values()), sum(c.tokens for c in cells.values())
    return tokens / samples if tokens else None


def counts(table: Mapping[str, Cells]) -> dict[str, dict[str, tuple[float, float]]]:
    """The table as `matrix_of` takes it."""
    return {
        name: {item: (cell.samples, cell.passes) for item, cell in cells.items()}
        for name, cells in table.items()
    }
