"""Outcomes of models or checkpoints on items: from ledgers of evaluations and runs, label files, tables.

They are what the 2PL model is fitted to (`harness.statistics.irt`). Only what was counted is an outcome:
rates that somebody predicts are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contract.errors import DataError, LedgerError
from harness.contract.records import Difficulty, Rollout, Verdict, convert
from harness.recording.ledger import read
from harness.statistics.tally import Counts
from harness.support.files import json_rows


@dataclass(slots=True)
class Cell:
    """What is known of one configuration on one item."""

    samples: float = 0.0
    #: Sum of the scores, so that partial scores count as far as they go.
    passes: float = 0.0
    tokens: float = 0.0
    usd: float = 0.0


def named(values: Sequence[str], option: str) -> dict[str, str]:
    """Places by name, of an option whose values are NAME=PLACE.

    Raises:
        DataError: a value of another form, or a name twice.
    """
    places: dict[str, str] = {}
    for value in values:
        name, equals, place = value.partition("=")
        if not (name and equals and place):
            raise DataError(f"is {value!r}", where=option, allowed="NAME=PLACE")
        if name in places:
            raise DataError(f"names {name!r} twice", where=option)
        places[name] = place
    return places


#: item -> cell
Cells = dict[str, Cell]
#: Where an evaluated policy stands in its run: stage and step; ("", 0) if nothing was trained.
Standing = tuple[str, int]


def ledger_of(place: Path) -> Path:
    """The ledger of an evaluation's or a run's folder, or the file itself.

    Raises:
        DataError: there is none, or several.
    """
    if place.is_file():
        return place
    ledgers = sorted(place.glob("**/ledger.jsonl"))
    if len(ledgers) != 1:
        raise DataError(
            f"{len(ledgers)} ledgers", where=str(place),
            allowed="the folder of one evaluation or run, or a ledger", hint="name each run by itself",
        )  # fmt: skip
    return ledgers[0]


def from_ledger(place: Path, benchmark: str | None = None) -> Cells:
    """The judged samples of the one policy that was evaluated, under the last judgement of each.

    Args:
        place: folder of an evaluation (`harness eval`, `harness score --import`), or its ledger.
        benchmark: only this one; None for all.

    Raises:
        DataError: no ledger, no judged sample in it, or several checkpoints were evaluated.
    """
    outcomes = by_checkpoint(place, benchmark)
    if len(outcomes) > 1:
        raise DataError(
            f"{len(outcomes)} checkpoints were evaluated, such as {_said(next(iter(outcomes)))}",
            where=str(place), allowed="the evaluation of one model",
        )  # fmt: skip
    return next(iter(outcomes.values()))


def by_checkpoint(place: Path, benchmark: str | None = None) -> dict[Standing, Cells]:
    """Outcomes of each evaluated policy of a run (or of the one of an evaluation), in the ledger's order.

    Of an evaluation whose samples were not kept (`detail`), the counts per problem are taken, which know no
    costs in US dollars.

    Args:
        place: folder of a run or an evaluation, or its ledger.
        benchmark: only this held-out set or benchmark; None for all.

    Raises:
        DataError: no ledger, or no judged sample in it.
        LedgerError: a line without the fields of its type.
    """
    path = ledger_of(place)
    #: (score or None, tokens, usd) by standing, set, task and sample.
    samples: dict[tuple[Standing, str, str, int], tuple[float | None, int, float]] = {}
    counts: dict[tuple[Standing, str], dict[str, Counts]] = {}
    for line in read(path):
        if line["t"] not in ("sample", "verdict", "evaluation") or (
            benchmark and line["heldout"] != benchmark
        ):
            continue
        standing = (str(line.get("stage", "")), int(line.get("step", 0)))
        if line["t"] == "evaluation":
            counts[standing, line["heldout"]] = convert(
                line.get("problems", {}), dict[str, Counts], where=str(path)
            )
            continue
        verdict = convert(line["verdict"], Verdict, where=str(path))
        score = verdict.score if verdict.judged else None
        if line["t"] == "sample":
            rollout = convert(line["rollout"], Rollout, where=str(path))
            key = (standing, line["heldout"], rollout.key.task, rollout.key.sample)
            samples[key] = (score, rollout.generated, rollout.cost.usd)
        else:
            key = (standing, line["heldout"], line["task"], line["sample"])
            if key not in samples:
                raise LedgerError(
                    f"a verdict on {key[2]!r}, sample {key[3]}, which is not there", where=str(path)
                )
            samples[key] = (score, *samples[key][1:])
    outcomes: defaultdict[Standing, Cells] = defaultdict(dict)
    for (standing, _, task, _), (score, tokens, usd) in samples.items():
        if score is not None:
            _add(outcomes[standing], task, Cell(1.0, score, tokens, usd))
    kept = {key[:2] for key in samples}
    for (standing, heldout), problems in counts.items():
        for task, count in problems.items() if (standing, heldout) not in kept else ():
            if count.samples:
                _add(outcomes[standing], task, Cell(count.samples, count.score, count.tokens))
    if not outcomes:
        raise DataError("no judged sample" + (f" of {benchmark!r}" if benchmark else ""), where=str(path))
    return dict(outcomes)


def configurations(name: str, place: Path, benchmark: str | None = None) -> dict[str, Cells]:
    """`by_checkpoint` by name: `name` alone for one policy, else `name@stage-step` for each."""
    outcomes = by_checkpoint(place, benchmark)
    if len(outcomes) == 1:
        return {name: next(iter(outcomes.values()))}
    return {f"{name}@{_said(standing)}": cells for standing, cells in outcomes.items()}


def _said(standing: Standing) -> str:
    return f"{standing[0] or 'start'}-{standing[1]}"


def _add(cells: Cells, item: str, more: Cell) -> None:
    cell = cells.setdefault(item, Cell())
    cell.samples += more.samples
    cell.passes += more.passes
    cell.tokens += more.tokens
    cell.usd += more.usd


def labelled(name: str, place: Path) -> dict[str, Cells]:
    """Outcomes of labels: of a file of `harness show --labels`, by `name`; of a run's folder or ledger, by
    `name@stage` for each stage that measured.

    Raises:
        DataError: neither is there, a row that is none, or no label counts a sample.
    """
    if place.is_file() and place.name != "ledger.jsonl":
        return {name: from_label_file(place)}
    path = ledger_of(place)
    outcomes = {
        f"{name}@{line['stage']}": from_labels({
            label.subject: label for label in convert(line["labels"], list[Difficulty], where=str(path))
        })
        for line in read(path)
        if line["t"] == "labels"
    }  # fmt: skip
    outcomes = {stage: cells for stage, cells in outcomes.items() if cells}
    if not outcomes:
        raise DataError("no label counts a sample", where=str(path))
    return outcomes


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
    for where, row in rows_of(path):
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
    for where, row in rows_of(path):
        try:
            name, item = str(row["configuration"]), str(row["item"])
            samples, passes = float(row.get("samples", 1)), float(row["passes"])
        except (KeyError, TypeError, ValueError):
            raise DataError(
                f"a row with {sorted(row)}", where=where,
                allowed="configuration, item, passes, and samples or none (which means 1)",
            ) from None  # fmt: skip
        _add(table.setdefault(name, {}), item, Cell(samples, passes, float(row.get("tokens", 0.0))))
    return table


def rows_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, row) of each line of a jsonl file.

    Raises:
        DataError: no such file, or a line that is no JSON object.
    """
    if not path.is_file():
        raise DataError("no such file", where=str(path))
    yield from json_rows(path)


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
