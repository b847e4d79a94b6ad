"""Published difficulty labels: pass rates of other models, read from jsonl or parquet."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from harness.contract.errors import DataError, counted, near
from harness.contract.records import Difficulty, PolicyRef, Sampling, digest
from harness.recipe import LabelFile
from harness.support.files import json_rows

#: Largest number that a label keeps: a double's.
LARGEST: Final = sys.float_info.max
#: How far a published pass rate may be from the share that it was: half a percent, for two digits.
ROUNDED: Final = 0.005


def load_labels(model: str, file: LabelFile, base: Path) -> dict[str, Difficulty]:
    """One model's labels by subject.

    A row gives the subject and either passes of samples, or a pass rate. A rate with `file.samples` becomes
    the nearest count; without, it is kept as it is and counts no samples. Numbers of `file.extra`, and those
    of a column `extra` as `harness show --labels` prints it, are kept.

    Raises:
        DataError: no such file, a missing column (near matches named), a value out of range, a second row of
            a subject, or a pass rate that is no share of so many samples.
    """
    path = base / file.path
    policy = PolicyRef(weights_sha=f"imported:{digest(model, path.name)}")
    labels = {}
    sampling = Sampling()  # one for all: a million labels are common
    for where, row in _rows(path):
        subject = str(_field(row, file.subject, where))
        predicted, passes, samples = _rate(row, file, where)
        if subject in labels:
            raise DataError(f"a second label of {subject!r}", where=where, hint="keep one row per subject")
        labels[subject] = Difficulty(
            subject=subject, model=model, policy=policy, samples=samples, passes=passes, predicted=predicted,
            score_sum=float(passes), score_sq_sum=float(passes), criterion=file.criterion, sampling=sampling,
            extra=_extra(row, file, where),
        )  # fmt: skip
    return labels


def _rate(row: Mapping[str, Any], file: LabelFile, where: str) -> tuple[float | None, int, int]:
    """A row's rate: predicted, or passes of samples."""
    if file.passes is not None:
        passes = _count(row, file.passes, where)
        samples = file.samples if file.samples_column is None else _count(row, file.samples_column, where)
        if samples is None:
            raise DataError(
                f"{passes} passes of how many samples?", where=where, hint="set samples_column, or samples"
            )
        if samples == passes == 0 and row.get("predicted") is not None:
            return _share(row, "predicted", where), 0, 0
    else:
        rate = _share(row, file.pass_rate, where)
        if file.samples is None:
            return rate, 0, 0
        samples = file.samples
        passes = _passes(rate, samples, file.pass_rate, where)
    if not 0 <= passes <= samples or samples < 1:
        raise DataError(f"{passes} passes of {samples} samples", where=where)
    return None, passes, samples


def _extra(row: Mapping[str, Any], file: LabelFile, where: str) -> dict[str, float]:
    given = row.get("extra")
    values = dict(given) if isinstance(given, Mapping) else {}
    values |= {name: _field(row, column, where) for name, column in file.extra.items()}
    kept = {}
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST:
            raise DataError(f"{file.extra.get(name, name)} is {value!r}", where=where, allowed="a number")
        kept[str(name)] = float(value)
    return kept


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not path.is_file():
        raise DataError("no such label file", where=str(path), allowed=near(path.name, _siblings(path)))
    if path.suffix == ".parquet":
        try:
            import pyarrow.parquet
        except ModuleNotFoundError:
            raise DataError(
                "reading parquet needs pyarrow", where=str(path), hint="pip install 'staged-harness[parquet]'"
            ) from None
        try:
            rows = (
                row for batch in pyarrow.parquet.ParquetFile(path).iter_batches() for row in batch.to_pylist()
            )
            for number, row in enumerate(rows, 1):
                yield f"{path}, row {number}", row
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"not a parquet file: {error}", where=str(path)) from None
        return
    yield from json_rows(path)


def _passes(rate: float, samples: int, column: str, where: str) -> int:
    """The passes behind a pass rate that may be rounded to `ROUNDED`."""
    exact = rate * samples
    passes = round(exact)
    if abs(exact - passes) > ROUNDED * samples + 1e-9 or (passes in (0, samples) and rate % 1):
        raise DataError(
            f"{column} is {rate!r}, which is no share of {counted(samples, 'sample')}",
            where=where,
            hint="set samples to the number behind each rate, or leave it out if nobody knows",
        )
    return passes


def _siblings(path: Path) -> list[str]:
    return [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []


def _field(row: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in row:
        raise DataError(f"has no field {name!r}", where=where, allowed=near(name, row))
    return row[name]


def _share(row: Mapping[str, Any], name: str, where: str) -> float:
    value = _field(row, name, where)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise DataError(f"{name} is {value!r}", where=where, allowed="a share in [0, 1]")
    return float(value)


def _count(row: Mapping[str, Any], name: str, where: str) -> int:
    value = _field(row, name, where)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        raise DataError(f"{name} is {value!r}", where=where, allowed="a whole number of samples")
    return value
