"""Two runs by problem, with what was gained and lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from harness.benchmarking import unlike
from harness.contract import DataError
from harness.readout import finding
from harness.statistics import compare as paired
from harness_view.asking import number
from harness_view.keeping import Kept
from harness_view.looks import PAGE, SIBLINGS, Desk, Values, look_at

#: Most problems that a comparison tests.
TESTED: Final = 20_000


def compare(desk: Desk, query: Mapping[str, str]) -> Values:
    """Two runs by problem."""
    known = [place for name in desk.shelf.studies() for place in desk.shelf.runs(name) if place.begun]
    values: dict[str, Any] = {"known": known, "query": query, "live": False, "share": 1.0, "chosen": None}
    if not (query.get("a") and query.get("b")):
        return values
    (a, first), (b, second) = desk.open(query["a"]), desk.open(query["b"])
    common = [h for h in finding.sets(a.index) if h and h in finding.sets(b.index)]
    values |= {"share": min(first, second), "live": min(first, second) < 1, "common": common, "a": a.place,
               "b": b.place}  # fmt: skip
    if not common:
        return values
    heldout = query.get("set") or common[0]
    if heldout not in common:
        raise DataError(f"they have no set {heldout!r} in common", where="set", allowed=", ".join(common))
    places = [finding.last_place(kept.index, heldout) for kept in (a, b)]
    counted = [finding.problems(kept.index, place) for kept, place in zip((a, b), places, strict=True)]
    shared = counted[0].keys() & counted[1].keys()
    flips = [_flip(task, counted[0][task], counted[1][task]) for task in shared]
    chosen = [flip for flip in flips if flip.fits(query.get("show", ""), query.get("task", ""))]
    chosen.sort(key=lambda flip: (-abs(flip.change), flip.task))
    at = number("page", query.get("page")) or 0
    made = paired(*counted) if 0 < len(shared) <= TESTED else None
    return values | {
        "heldout": heldout,
        "flips": chosen[at * PAGE : (at + 1) * PAGE],
        "chosen": len(chosen),
        "problems": len(shared),
        "gained": sum(flip.gained for flip in flips),
        "lost": sum(flip.lost for flip in flips),
        "made": made,
        "unlike": _unlike(a, b, heldout),
        "page": at,
        "pages": -(-len(chosen) // PAGE),
    }


def pair(desk: Desk, query: Mapping[str, str]) -> Values:
    """A problem's samples of two runs, side by side."""
    heldout, task = query.get("set", ""), query.get("task", "")
    n = number("number", query.get("number")) or 0
    sides, sizes = [], []
    for name in (query.get("a", ""), query.get("b", "")):
        kept, _ = desk.open(name)
        wanted = replace(finding.last_place(kept.index, heldout), task=task)
        rows = finding.page(kept.index, wanted, SIBLINGS).rows
        if not rows:
            raise DataError(f"there is no sample of task {task!r}", where=name)
        row = next((row for row in rows if row.key.number == n), rows[-1])
        sides.append(look_at(desk, kept, row.key))
        sizes.append(rows)
    numbers = sorted({row.key.number for rows in sizes for row in rows})
    return {
        "query": query,
        "sides": list(zip(("A", "B"), sides, sizes, strict=True)),
        "task": task,
        "number": n,
        "numbers": numbers,
        "live": any(side is not None and side.waiting for side in sides),
    }


@dataclass(frozen=True, slots=True)
class Change:
    """A problem of two runs; rates in [0, 1]."""

    task: str
    a: float
    b: float
    samples: tuple[int, int]

    @property
    def change(self) -> float:
        return self.b - self.a

    @property
    def gained(self) -> bool:
        """Whether B mostly solves what A mostly does not."""
        return self.a < 0.5 <= self.b

    @property
    def lost(self) -> bool:
        return self.b < 0.5 <= self.a

    def fits(self, show: str, words: str) -> bool:
        """Whether it is among those asked for; raises DataError for a word that nobody knows."""
        kinds = {"": True, "flips": self.gained or self.lost, "gained": self.gained, "lost": self.lost}
        if show not in kinds:
            raise DataError(f"{show!r} names no changes", where="show", allowed="flips, gained, lost")
        return kinds[show] and words in self.task


def _flip(task: str, a: tuple[float, float], b: tuple[float, float]) -> Change:
    return Change(task, a[0] / a[1], b[0] / b[1], (int(a[1]), int(b[1])))


def _unlike(a: Kept, b: Kept, heldout: str) -> list[str]:
    """Why the scores of two evaluations do not compare."""
    facts = [e[-1].facts if (e := kept.run().on(heldout)) else {} for kept in (a, b)]
    return [name for name, _, _ in unlike(*facts)] if all(facts) else []
