"""Whether an entry may stand on a board, and if not, why: one sentence a fault.

An entry is checked against itself as well as against its schema: its score must follow from its
problems and its seeds, so that a number edited by hand is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import statistics
from harness.board.entry import SCHEMA, Entry
from harness.errors import DataError, RecipeError, counted
from harness.recipe.errors import validated
from harness.records import digest


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
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError("no such entry", where=str(path)) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"not JSON: {error}", where=str(path)) from None
    if not isinstance(values, dict):
        raise DataError("an entry is a JSON object", where=str(path))
    if values.get("schema") != SCHEMA:
        raise DataError(f"schema is {values.get('schema')!r}", where=str(path), allowed=str(SCHEMA))
    try:
        return validated(Entry, values, where=str(path))
    except RecipeError as error:
        raise DataError(error.what, where=str(path), allowed=error.allowed) from None


def check_entry(entry: Entry, where: str = "entry") -> list[Fault]:
    """Every reason to refuse this entry; empty when it may be published."""
    return [Fault(where, what) for what in _faults(entry)]


def check_file(path: Path) -> list[Fault]:
    """As `check_entry`, with what is wrong with the file itself."""
    try:
        return check_entry(read_entry(path), str(path))
    except DataError as error:
        return [Fault(str(path), line.strip()) for line in error.what.splitlines()]


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
        stated, found = getattr(entry.score, name), getattr(again, name)
        if (
            stated.level == found.level
            and max(abs(stated.low - found.low), abs(stated.high - found.high)) > 1e-4
        ):
            yield (
                f"score.{name}: [{stated.low:.4f}, {stated.high:.4f}], "
                f"but its problems give [{found.low:.4f}, {found.high:.4f}]"
            )
