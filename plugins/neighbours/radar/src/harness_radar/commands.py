"""`harness staged-harness-radar/radar`: items of a scale from texts; the front of cost and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
from harness.contract import DataError

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("radar")
def command() -> None:
    """Routing by item response theory: items that nobody ran, and the front of cost and accuracy."""


@command.command()
@click.option("--scale", "place", type=FILE, required=True, help="File of a fitted scale (harness irt fit).")
@click.option("--texts", type=FILE, required=True, help="Texts of its items (jsonl: id, problem).")
@click.option("--out", type=FILE, help="File of the new scale. Default: the scale's own.")
def texts(place: Path, texts: Path, out: Path | None) -> None:
    """Add to a scale what a text says of items that nobody ran; print how much that is."""
    from harness.statistics.irt import read_scale, write_scale

    from harness_radar.features import TextScale, fit_predictor, texts_of

    scale = read_scale(place, TextScale)
    predictor = fit_predictor(scale.items_of(list(scale.items)), texts_of(texts))
    write_scale(replace(scale, predictor=predictor), out or place)
    click.echo(
        f"from texts, left out: b within {predictor.b.sd:.2f} (R2 {predictor.b.r2:.2f}), log a within "
        f"{predictor.log_a.sd:.2f} (R2 {predictor.log_a.r2:.2f})"
    )
    click.echo(out or place)


@command.command()
@click.option(
    "--run", "runs", multiple=True, required=True, metavar="NAME=FOLDER", help="An evaluation; repeatable."
)
@click.option("--router", "routers", multiple=True, metavar="NAME", help="Which of them are a router's.")
@click.option("--benchmark", help="Only this benchmark or held-out set.")
@click.option(
    "--cost", type=click.Choice(["tokens", "usd"]), default="usd", show_default=True,
    help="What a sample costs: dollars by the engine's prices, or tokens generated.",
)  # fmt: skip
@click.option("--reference", type=float, help="Cost that is worth nothing. Default: the dearest run's.")
@click.option("--out", type=FILE, help="File of the picture (SVG).")
def front(
    runs: Sequence[str], routers: Sequence[str], benchmark: str | None, cost: str, reference: float | None,
    out: Path | None,
) -> None:  # fmt: skip
    """Print accuracy, cost and hypervolume of evaluations, and draw their front."""
    from harness.readout.outcomes import from_ledger, named

    from harness_radar.choosing import front as places_of
    from harness_radar.choosing import hypervolume
    from harness_radar.picture import Point, picture

    places = named(runs, "--run")
    if strange := set(routers) - set(places):
        raise DataError(f"names {sorted(strange)[0]!r}", where="--router", allowed=", ".join(places))
    points = []
    for name, place in places.items():
        cells = from_ledger(Path(place), benchmark).values()
        samples, passes = sum(c.samples for c in cells), sum(c.passes for c in cells)
        spent = sum(c.usd if cost == "usd" else c.tokens for c in cells)
        points.append(Point(name, spent / samples, passes / samples, name in routers))
    if not any(point.cost for point in points):
        raise DataError(
            f"none of the runs has a cost in {cost}", where="--cost",
            hint="--cost tokens, or evaluate behind an engine with prices",
        )  # fmt: skip
    dearest = reference or max(point.cost for point in points)
    pairs = [(point.cost, point.accuracy) for point in points]
    on_front = set(places_of(pairs))
    for i, point in sorted(enumerate(points), key=lambda p: p[1].cost):
        star = "*" if i in on_front else " "
        click.echo(f"{star} {100 * point.accuracy:6.1f} %  {point.cost:.4g} {cost}  {point.name}")
    for said, members in (
        ("configurations", [p for p, point in zip(pairs, points, strict=True) if not point.router]),
        ("with routers", pairs),
    ):
        click.echo(
            f"hypervolume of {said}: {hypervolume(members, dearest):.4f} (reference {dearest:.4g} {cost})"
        )
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(picture(points, f"{cost} per sample"), encoding="utf-8")
        click.echo(out)
