"""What may be shown of tasks: items of gated benchmarks never are, others are if their data is at hand."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from harness.benchmarking import AtHand, all_closed, gated_names, problems_at_hand
from harness.contract import HarnessError
from harness.plugging import load
from harness.readout import recipe_of
from harness_view.keeping import Kept
from harness_view.shelf import Place

#: The set of the samples of training, as indexes name it.
TRAINING: Final = ""
GATED: Final = "its owner gives access only to those who ask"


class Items:
    """What is known of the tasks of each run."""

    def __init__(self) -> None:
        #: With what the folder said when this was decided: an evaluation may be widened.
        self._closed: dict[Path, tuple[object, Mapping[str, str]]] = {}
        self._at_hand: dict[tuple[Path, str], AtHand] = {}
        self._loading: set[tuple[Path, str]] = set()
        self._lock = threading.Lock()
        self.plugins = load()

    def closed(self, place: Place) -> Mapping[str, str]:
        """Sets of a run of which no text may be shown, and why."""
        files = [place.home / name for name in ("study.json", "recipe.toml")]
        asked = [path.read_bytes() if path.is_file() else b"" for path in files]
        with self._lock:
            known = self._closed.get(place.home)
            if known is None or known[0] != asked:
                said = self._of_evaluation(place) if place.evaluation else self._of_study(place)
                known = asked, {name: why for name, why in said.items() if why}
                self._closed[place.home] = known
            return known[1]

    def at_hand(self, kept: Kept, heldout: str) -> AtHand | None:
        """The problems of an evaluation's benchmark; None while they are being read, and of a study."""
        place = kept.place
        if not place.evaluation or heldout == TRAINING:
            return None
        key = place.home, heldout
        with self._lock:
            if key not in self._at_hand and key not in self._loading:
                self._loading.add(key)
                threading.Thread(target=self._load, args=(kept, heldout), daemon=True).start()
            return self._at_hand.get(key)

    def _load(self, kept: Kept, heldout: str) -> None:
        try:
            made = problems_at_hand(kept.place.home, heldout, self.plugins)
        except HarnessError as error:
            made = AtHand(absent=error.what)
        kept.index.tag(heldout, {task: problem.tags for task, problem in made.problems.items()})
        self._at_hand[kept.place.home, heldout] = made

    def _of_evaluation(self, place: Place) -> Mapping[str, str]:
        return all_closed(place.home, self.plugins)

    def _of_study(self, place: Place) -> Mapping[str, str]:
        """A study's sets that are made of a gated benchmark, as its recipe names it."""
        recipe = recipe_of(place.home)
        evaluation = recipe.pop("evaluation", {})
        tables = evaluation.get("heldout", []) if isinstance(evaluation, Mapping) else []
        sets = {str(table.get("name", "heldout")): table for table in tables if isinstance(table, Mapping)}
        gated = self._gated
        # An arm may change anything: what it names is taken to be everywhere.
        everywhere = not gated.isdisjoint(_named(recipe))
        closed = [name for name, table in sets.items() if everywhere or not gated.isdisjoint(_named(table))]
        return dict.fromkeys([*closed, *([TRAINING] if everywhere else [])], GATED)

    @cached_property
    def _gated(self) -> frozenset[str]:
        return gated_names(self.plugins)


def _named(value: Any) -> Iterator[str]:
    """Benchmarks and repositories that a recipe's sources name."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name in ("benchmark", "repo") and isinstance(inner, str):
                yield inner
            yield from _named(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner)
