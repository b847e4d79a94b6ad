"""Published difficulty labels: pass rates of other models, read from jsonl or parquet."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import DataError, near
from harness.recipe import LabelFile
from harness.records import Difficulty, PolicyRef, Sampling, digest


def load_labels(model: str, file: LabelFile, base: Path) -> dict[str, Difficulty]:
    """One model's labels by subject.

    A row gives the subject and either passes of samples, or a pass rate, whose samples are then
    `file.samples`.

    Raises:
        DataError: no such file, a missing column (near matches named), a value out of range.
    """
    path = base / file.path
    policy = PolicyRef(weights_sha=f"imported:{digest(model, path.name)}")
    labels = {}
    sampling = Sampling()  # one for all: a million labels are common
    for where, row in _rows(path):
        subject = str(_field(row, file.subject, where))
        if file.passes is not None:
            passes, samples = _count(row, file.passes, where), file.samples
            if file.samples_column is not None:
                samples = _count(row, file.samples_column, where)
        else:
            rate = _field(row, file.pass_rate, where)
            if not isinstance(rate, int | float) or not 0 <= rate <= 1:
                raise DataError(f"{file.pass_rate} is {rate!r}", where=where, allowed="a share in [0, 1]")
            samples = file.samples
            passes = round(rate * samples)
        if not 0 <= passes <= samples or samples < 1:
            raise DataError(f"{passes} passes of {samples} samples", where=where)
        labels[subject] = Difficulty(
            subject=subject, model=model, policy=policy, samples=samples, passes=passes,
            score_sum=float(passes), score_sq_sum=float(passes), criterion=file.criterion, sampling=sampling,
        )  # fmt: skip
    return labels


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
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            for number, row in enumerate(batch.to_pylist(), 1):
                yield f"{path}, row {number}", row
        return
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        for number, raw in enumerate(file, 1):
            where = f"{path}, line {number}"
            try:
                yield where, msgspec.json.decode(raw, type=dict[str, Any])
            except (msgspec.DecodeError, msgspec.ValidationError) as error:
                raise DataError(f"not a JSON object: {error}", where=where) from None


def _siblings(path: Path) -> list[str]:
    return [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []


def _field(row: Mapping[str, Any], name: str, where: str) -> Any:
    if name not in row:
        raise DataError(f"has no field {name!r}", where=where, allowed=near(name, row))
    return row[name]


def _count(row: Mapping[str, Any], name: str, where: str) -> int:
    value = _field(row, name, where)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DataError(f"{name} is {value!r}", where=where, allowed="a whole number of samples")
    return value
