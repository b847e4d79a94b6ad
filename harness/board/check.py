"""Whether an entry may stand on a board, and if not, why: one sentence per fault.

An entry is checked against itself as well as against its schema: its score must follow from its
problems and its seeds, so that a number edited by hand is noticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

import msgspec
from pydantic import ValidationError

from harness import statistics
from harness.board.entry import SCHEMAS, Entry
from harness.board.folder import read_options
from harness.board.references import read_references
from harness.contract.errors import UNPARSABLE, DataError, RecipeError, counted
from harness.contract.records import digest
from harness.recipe.errors import validated


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason to refuse an entry."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def read_entry(path: Path) -> Entry:
    """Read one entry's file.

    Raises:
        DataError: not JSON, another schema, or a field that does not fit; all faults are listed.
    """
    try:
        values = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        raise DataError("no such entry", where=str(path)) from None
    except UNPARSABLE as error:
        raise DataError(f"not JSON: {error}", where=str(path)) from None
    if not isinstance(values, dict):
        raise DataError("an entry is a JSON object", where=str(path))
    if values.get("schema") not in SCHEMAS:
        allowed = ", ".join(map(str, SCHEMAS))
        raise DataError(f"schema is {values.get('schema')!r}", where=str(path), allowed=allowed)
    try:
        return Entry.model_validate(values)
    except ValidationError:
        pass  # told in words below
    try:
        return validated(Entry, values, where=str(path))
    except RecipeError as error:
        raise DataError(error.what, where=str(path), allowed=error.allowed) from None


def check_entry(entry: Entry, where: str = "entry") -> list[Fault]:
    """Every reason to refuse this entry; empty if it may be published."""
    return [Fault(where, what) for what in _faults(entry)]


def check_file(path: Path) -> list[Fault]:
    """As `check_entry`, with what is wrong with the file itself."""
    try:
        return check_entry(read_entry(path), str(path))
    except DataError as error:
        return [Fault(str(path), line.strip()) for line in error.what.splitlines()]


def check_board(folder: Path) -> list[Fault]:
    """Why a board's page cannot be built as it stands: its `board.toml`, its references, and entries that the
    page would leave out. What is wrong inside an entry is `check_file`'s."""
    path = folder / "board.toml"
    if not path.is_file():
        return [Fault(str(path), "is missing, so the board has no page")]
    faults = []
    try:
        read_references(folder / "references")
    except DataError as error:
        faults += _told(error)
    try:
        columns = {column.benchmark for column in read_options(folder).columns}
    except DataError as error:
        return [*_told(error), *faults]
    for file in sorted((folder / "entries").glob("*.json")):
        try:
            faults += [Fault(str(file), what) for what in misplaced(read_entry(file), folder.name, columns)]
        except DataError:
            continue  # told by `check_file`
    return faults


def _told(error: DataError) -> list[Fault]:
    return [Fault(error.where, line.strip()) for line in error.what.splitlines()]


def misplaced(entry: Entry, board: str, columns: Set[str]) -> list[str]:
    """Why an entry does not belong on a board with columns for these benchmarks; empty if it does."""
    faults = []
    if entry.board != board:
        faults.append(f"board: it belongs to {entry.board!r}")
    if entry.benchmark.name not in columns:
        faults.append(f"benchmark.name: this board has no column {entry.benchmark.name!r}")
    return faults


def _faults(entry: Entry) -> Iterator[str]:
    health, benchmark, score = entry.health, entry.benchmark, entry.score
    if health.infra_errors:
        yield (
            f"health.infra_errors: {counted(health.infra_errors, 'sample')} could not be judged; "
            "score them again before publishing"
        )
    if health.missing:
        yield f"health.missing: {health.missing} samples are missing; finish the evaluation first"
    if not entry.verifiers:
        yield "verifiers: no verifier is named, so nobody can judge these answers again"
    if len(entry.problems) != benchmark.problems:
        yield (f"problems: {len(entry.problems)} are listed, benchmark.problems says {benchmark.problems}")
    if digest(sorted(entry.problems)) != benchmark.problems_sha:
        yield "benchmark.problems_sha: does not fit the listed problems"
    if digest(benchmark.profile) != benchmark.profile_sha:
        yield "benchmark.profile_sha: does not fit the profile"
    if entry.answers and entry.answers.keys() != entry.problems.keys():
        odd = sorted(entry.answers.keys() ^ entry.problems.keys())[0]
        yield f"answers: are not those of the listed problems; the first that differs is {odd!r}"
    if entry.kind == "rejudged" and entry.source is None:
        yield "source: a rejudged entry says where its generations come from"
    if entry.kind == "measured" and entry.source is not None:
        yield "source: a measured entry has none; its kind is rejudged"
    wanted = benchmark.samples * len(entry.seeds)
    for problem, (passes, samples) in entry.problems.items():
        if passes > samples:
            yield f"problems.{problem}: {passes:g} passes among {samples} samples"
        if samples != wanted:
            yield (
                f"problems.{problem}: {samples} samples, expected {wanted} "
                f"({benchmark.samples} for each of {len(entry.seeds)} seeds)"
            )
    doubled = {s.seed for s in entry.seeds if sum(t.seed == s.seed for t in entry.seeds) > 1}
    if doubled:
        yield f"seeds: seed {min(doubled)} is counted twice"
    for name, bounds in (("rerun", score.rerun), ("benchmark", score.benchmark), ("seeds", score.seeds)):
        if bounds is not None and not bounds.low <= score.value <= bounds.high:
            yield f"score.{name}: [{bounds.low:.4f}, {bounds.high:.4f}] does not hold {score.value:.4f}"
    if entry.problems and all(c <= n for c, n in entry.problems.values()):
        yield from _recomputed(entry)


def _recomputed(entry: Entry) -> Iterator[str]:
    passes, samples = zip(*entry.problems.values(), strict=True)
    again = statistics.score_counts(passes, samples)
    if abs(again.value - entry.score.value) > 1e-6:
        yield f"score.value: {entry.score.value:.6f}, but its problems give {again.value:.6f}"
    seeds = sum(s.value for s in entry.seeds) / len(entry.seeds)
    if abs(seeds - entry.score.value) > 1e-6:
        yield f"score.value: {entry.score.value:.6f}, but its seeds give {seeds:.6f}"
    for name in ("rerun", "benchmark"):
        stated, recomputed = getattr(entry.score, name), getattr(again, name)
        if (
            stated.level == recomputed.level
            and max(abs(stated.low - recomputed.low), abs(stated.high - recomputed.high)) > 1e-4
        ):
            yield (
                f"score.{name}: [{stated.low:.4f}, {stated.high:.4f}], "
                f"but its problems give [{recomputed.low:.4f}, {recomputed.high:.4f}]"
            )
