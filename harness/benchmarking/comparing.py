"""Two evaluations side by side, where their scores were made alike."""

from __future__ import annotations

from collections.abc import Mapping

from harness import statistics
from harness.benchmarking.reading import Evaluated, Result
from harness.errors import LedgerError
from harness.statistics import Comparison


def pair_results(a: Evaluated, b: Evaluated, only: str | None = None) -> list[tuple[str, Comparison]]:
    """b against a on every benchmark that both have.

    Raises:
        LedgerError: a score is refused, or profile, problems or verifiers differ; names what differs.
    """
    of_b = {result.benchmark: result for result in b.results}
    out = []
    for left in a.results:
        right = of_b.get(left.benchmark)
        if right is None or (only is not None and left.benchmark != only):
            continue
        for side, result in ((a, left), (b, right)):
            if result.refusal:
                raise LedgerError(
                    f"{result.benchmark} has no score: {result.refusal}",
                    where=str(side.folder.folder),
                    hint=f"harness eval --resume {side.folder.folder}",
                )
        _check_alike(a, b, left, right)
        out.append((left.benchmark, statistics.compare(counted(left), counted(right))))
    return out


def counted(result: Result) -> Mapping[str, tuple[float, float]]:
    """problem -> (passes, samples)."""
    return {name: (float(t.passes), float(t.samples)) for name, t in result.tallies.items() if t.samples}


def _check_alike(a: Evaluated, b: Evaluated, left: Result, right: Result) -> None:
    assert left.line is not None
    assert right.line is not None
    one, two = left.line["facts"], right.line["facts"]
    for name, x, y in (
        ("profile", a.profile.hash, b.profile.hash),
        ("version", one["version"], two["version"]),
        ("verifiers", one["verifiers"], two["verifiers"]),
        # Of as many problems; a slice of them has another hash and is paired by name.
        *([("problems", one["data_sha"], two["data_sha"])] if one["problems"] == two["problems"] else []),
    ):
        if x != y:
            raise LedgerError(
                f"{left.benchmark}: their {name} differ ({x} and {y}), so the scores do not compare",
                where=f"{a.folder.folder} and {b.folder.folder}",
                hint="harness score judges both alike" if name == "verifiers" else "evaluate both alike",
            )
