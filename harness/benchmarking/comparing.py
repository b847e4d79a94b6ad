"""Two evaluations side by side, if their scores were made alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness import statistics
from harness.benchmarking.reading import Evaluated, Result
from harness.contract.errors import LedgerError
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
    facts = [
        {**r.line["facts"], "profile": {"hash": e.profile.hash}} for e, r in ((a, left), (b, right)) if r.line
    ]
    for name, x, y in unlike(*facts):
        raise LedgerError(
            f"{left.benchmark}: their {name} differ ({x} and {y}), so the scores do not compare",
            where=f"{a.folder.folder} and {b.folder.folder}",
            hint="harness score judges both alike" if name == "verifiers" else "evaluate both alike",
        )


def unlike(one: Mapping[str, Any], two: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What differs in what two scores rest on (`facts` of their `evaluation` lines), so that they do not
    compare: names with both values."""
    pairs = [
        ("profile", one["profile"]["hash"], two["profile"]["hash"]),
        ("version", one["version"], two["version"]),
        ("verifiers", one["verifiers"], two["verifiers"]),
    ]
    if one["problems"] == two["problems"]:
        # Of as many problems; a slice of them has another hash and is paired by name.
        pairs.append(("problems", one["data_sha"], two["data_sha"]))
    return [pair for pair in pairs if pair[1] != pair[2]]
