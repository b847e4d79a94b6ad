"""The page of a run: why each sample of some of its steps was right or wrong.

It is bounded: so many samples, texts clipped to their ends, and a command for what it leaves out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.board import pages
from harness.readout import Run, TrainedSample, Wanted, samples, step_sizes

#: Characters of a completion that are shown, from its beginning and from its end, where the answer is.
HEAD, TAIL = 400, 800

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A text's beginning and end, with the number of characters left out between them."""

    head: str
    tail: str = ""
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """A step's samples, numbered in the ledger's order from 0."""

    stage: str
    step: int
    #: Its place among the page's steps; makes ids of elements.
    index: int
    #: Samples that it has in all.
    size: int
    shown: list[TrainedSample] = field(default_factory=list)

    @property
    def shown_size(self) -> int:
        return len(self.shown)

    @property
    def left_out(self) -> int:
        return self.size - self.shown_size

    @property
    def statuses(self) -> Mapping[str, int]:
        """How many of the shown samples have which status."""
        return Counter(one.sample.verdict.status for one in self.shown)


def write_pages(folder: Path, runs: Sequence[Run], most: int, steps: Sequence[int] = ()) -> dict[str, Path]:
    """Write the pages of runs that trained, below `folder`; gives them by `<arm>/seed-<n>`.

    Args:
        most: samples per page.
        steps: those to show, as numbered within their stage; without any they are spread evenly.
    """
    written = {}
    for run in runs:
        if most and (sizes := step_sizes(run.folder)):
            name = f"{run.arm}/seed-{run.seed}"
            html = render(run, sizes, most, steps)
            written[name] = pages.write(folder / run.arm / f"seed-{run.seed}.html", html)
    return written


def render(run: Run, sizes: Mapping[Place, int], most: int, steps: Sequence[int] = ()) -> str:
    """The page of a run whose steps have these numbers of samples, with at most `most` of them."""
    env = pages.environment(Path(__file__).resolve().parent / "templates")
    env.globals["number"] = number
    env.filters["excerpt"] = excerpt
    chosen = choose(sizes, most, steps)
    return env.get_template("run.html").render(
        run=run,
        steps=read_steps(run.folder, {place: sizes[place] for place in chosen}, most),
        all_steps=len(sizes),
        all_samples=sum(sizes.values()),
    )


def choose(sizes: Mapping[Place, int], most: int, steps: Sequence[int] = ()) -> list[Place]:
    """The steps that a page of `most` samples shows: those asked for, or as many as fit, spread evenly."""
    places = list(sizes)
    if steps:
        return [place for place in places if place[1] in steps]
    fitting = min(len(places), max(1, most // max(1, *sizes.values())))
    return [places[round(at)] for at in np.linspace(0, len(places) - 1, fitting)]


def read_steps(folder: Path, sizes: Mapping[Place, int], most: int) -> list[Step]:
    """The chosen steps with at most `most` samples in all, in the ledger's order."""
    steps = {place: Step(*place, index, size) for index, (place, size) in enumerate(sizes.items())}
    for place, one in _first(samples(folder, Wanted(places=frozenset(sizes))), most):
        steps[place].shown.append(one)
    return list(steps.values())


def _first(chosen: Iterator[TrainedSample], most: int) -> Iterator[tuple[Place, TrainedSample]]:
    for _, one in zip(range(most), chosen, strict=False):
        yield (one.stage, one.group.step), one


def excerpt(text: str) -> Excerpt:
    """The text, or its two ends if it is long."""
    left_out = len(text) - HEAD - TAIL
    return Excerpt(text) if left_out <= 0 else Excerpt(text[:HEAD], text[-TAIL:], left_out)


def number(value: float | None) -> str:
    """A reward or an advantage; a dash if there is none."""
    return "–" if value is None else f"{value:.4g}"
