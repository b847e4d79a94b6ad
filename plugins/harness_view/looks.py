"""What each page shows, as the values of its template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from harness_report.pictures import colour, natural
from starlette.responses import RedirectResponse, Response

from harness.benchmarking import AtHand, Problem
from harness.contract import DataError
from harness.readout import Evaluation, Filter, Run, SampleKey, WholeSample, finding, glance
from harness_view import pictures
from harness_view.asking import Asked, key_of, number
from harness_view.closing import Items
from harness_view.keeping import Keeper, Kept
from harness_view.marking import pieces
from harness_view.shelf import Place, Shelf

#: Samples of a list's page, and problems of a comparison's.
PAGE: Final = 50
#: Samples of a task that a sample's page links to.
SIBLINGS: Final = 64
#: Most problems that a comparison tests.
TESTED: Final = 20_000

Values = Mapping[str, Any]


@dataclass
class Desk:
    """What all pages share."""

    shelf: Shelf
    #: Names of the boards.
    boards: Callable[[], Sequence[str]] = list
    keeper: Keeper = field(default_factory=Keeper)
    items: Items = field(default_factory=Items)

    def open(self, name: str, among: int = 1) -> tuple[Kept, float]:
        """A run's index, and how much of its ledger is in it; one of several that a page opens.

        Raises:
            DataError: there is no such run, or it has no ledger yet.
        """
        place = self.shelf.run(name)
        if not place.begun:
            raise DataError("this run has not begun", where=str(place.folder))
        kept = self.keeper.of(place)
        return kept, kept.keep_up(among)


def home(desk: Desk) -> Values:
    """All studies, evaluations and boards."""
    rows, live = [], False
    for name, folder in desk.shelf.studies().items():
        runs = desk.shelf.runs(name)
        seen = glance(folder)
        live |= seen.state not in ("finished", "empty")
        rows.append({
            "name": name,
            "evaluation": bool(runs) and runs[0].evaluation,
            "path": f"run/{runs[0].path}" if len(runs) == 1 else f"study/{quote(name)}",
            "seen": seen,
            "runs": len(runs),
        })  # fmt: skip
    return {"rows": rows, "boards": desk.boards(), "root": str(desk.shelf.root), "live": live}


def study(desk: Desk, name: str) -> Values | Response:
    """A study: its runs, and its arms' curves."""
    places = desk.shelf.runs(name)
    if len(places) == 1:
        return RedirectResponse(f"/run/{places[0].path}", 303)
    shown: list[tuple[Place, Run | None, float]] = []
    for place in places:
        if place.begun:
            kept, share = desk.open(place.name, len(places))
            shown.append((place, kept.run(), share))
        else:
            shown.append((place, None, 1.0))
    arms: dict[str, list[Run]] = {}
    for place, run, _ in shown:
        if run is not None:
            arms.setdefault(place.arm, []).append(run)
    return {
        "name": name,
        "about": desk.shelf.about(desk.shelf.study(name)),
        "runs": shown,
        "curves": pictures.scores(list(arms.items())),
        "arms": [(arm, colour(i)) for i, arm in enumerate(arms)],
        "share": min((share for _, _, share in shown), default=1.0),
        "live": any(share < 1 or run is None or run.state != "finished" for _, run, share in shown),
        "last": _last_score,
    }


def run(desk: Desk, name: str) -> Values:
    """A run: curves, difficulty, evaluations, and the ways to its samples."""
    kept, share = desk.open(name)
    made, place = kept.run(), kept.place
    counted = {heldout: finding.counts(kept.index, Filter(heldout)) for heldout in finding.sets(kept.index)}
    finals = [made.on(heldout)[-1] for heldout in made.heldouts]
    for heldout in counted:
        desk.items.at_hand(kept, heldout)
    return {
        "place": place,
        "run": made,
        "counted": counted,
        "curves": [chart for _, chart in pictures.scores([(place.arm, [made])])],
        "training": pictures.training(made),
        "map": pictures.difficulty_map(finding.difficulty(kept.index)),
        "measured": pictures.measured(made),
        "finals": finals,
        "problems": [chart for final in finals if (chart := pictures.problem_rates(final))],
        "closed": desk.items.closed(place),
        "others": _others(desk, place),
        "share": share,
        "live": share < 1 or made.state != "finished",
    }


def samples(desk: Desk, name: str, query: Mapping[str, str]) -> Values:
    """Samples of a run that fit what is asked for."""
    kept, share = desk.open(name)
    asked, index = Asked.of(query), kept.index
    closed = desk.items.closed(kept.place)
    wanted, after = asked.filter(closed), number("after", query.get("after")) or 0
    known = finding.sets(index)
    for heldout in known:
        desk.items.at_hand(kept, heldout)
    if asked.text:
        matches = finding.search(index, wanted, asked.text, PAGE, after)
    else:
        matches = finding.page(index, wanted, PAGE, after)
    everything = Filter(wanted.heldout, closed=wanted.closed)
    counted = finding.counts(index, wanted)
    earlier = finding.before(index, wanted, PAGE, matches.rows[0].id) if after and matches.rows else None
    return {
        "place": kept.place,
        "asked": asked,
        "rows": matches.rows,
        "more": matches.last,
        "earlier": earlier,
        "after": after,
        "counted": counted,
        "statuses": sorted(counted if everything == wanted else finding.counts(index, everything)),
        "sets": known,
        "tags": _grouped(finding.tags(index, wanted.heldout)),
        "closed": closed,
        "share": share,
        "live": share < 1 or kept.run().state != "finished",
    }


def sample(desk: Desk, name: str, query: Mapping[str, str]) -> Values:
    """One sample: what was asked and answered, what was found, what it earned."""
    kept, _ = desk.open(name)
    key, asked = key_of(query), Asked.of(query)
    shown = look_at(desk, kept, key)
    if shown is None:
        raise DataError(f"there is no sample {key.number} of task {key.task!r} here", where=name)
    wanted = asked.filter(desk.items.closed(kept.place))
    earlier, later = finding.beside(kept.index, wanted, shown.whole.row.id)
    of_task = Filter(key.heldout, key.name, key.stage, key.step, key.task)
    return {
        "place": kept.place,
        "asked": asked,
        "shown": shown,
        "earlier": earlier,
        "later": later,
        "siblings": finding.page(kept.index, of_task, SIBLINGS).rows,
        "live": shown.waiting,
    }


@dataclass(frozen=True, slots=True)
class Shown:
    """A sample as it may be shown."""

    place: Place
    whole: WholeSample
    #: Why nothing that may quote the problem is shown; empty if it is.
    closed: str
    problem: Problem | None
    #: Why the problem is not shown.
    absent: str
    #: Whether the problems are still being read.
    waiting: bool

    @property
    def pieces(self) -> Any:
        """The completion; None if it was not kept or may not be shown."""
        sample = self.whole.sample
        if self.closed or sample.rollout is None:
            return None
        return pieces(sample.rollout.text, sample.verdict.extracted, sample.verdict.spans)


def look_at(desk: Desk, kept: Kept, key: SampleKey) -> Shown | None:
    """A sample of a run, None if there is none."""
    whole = finding.whole(kept.index, key)
    if whole is None:
        return None
    closed = desk.items.closed(kept.place).get(key.heldout, "")
    told: AtHand | None = AtHand() if closed else desk.items.at_hand(kept, key.heldout)
    problem = None if told is None else told.problems.get(key.task)
    waiting = told is None and kept.place.evaluation
    absent = "" if told is None else told.absent
    return Shown(kept.place, whole, closed or ("" if told is None else told.closed), problem, absent, waiting)


def _others(desk: Desk, place: Place) -> list[Place]:
    """Runs that this one can be compared with."""
    known = [p for name in desk.shelf.studies() for p in desk.shelf.runs(name) if p.begun]
    return [p for p in known if p.name != place.name and p.evaluation == place.evaluation]


def _last_score(run: Run) -> Evaluation | None:
    judged = [e for e in run.evaluations if e.judged]
    return judged[-1] if judged else None


def _grouped(tags: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Tags by what they are about, each with its words: `level=3` is 3 of the group `level`."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for tag in sorted(tags, key=natural):
        name, equals, value = tag.partition("=")
        groups.setdefault(name if equals else "subject", []).append((tag, value if equals else tag))
    return groups
