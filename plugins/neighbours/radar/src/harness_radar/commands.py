"""`harness staged-harness-radar/radar`: fit a scale to outcomes, and see the front of cost and accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from harness.contract import DataError

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("radar")
def command() -> None:
    """Item response theory over configurations: a scale of items and abilities, and the front they make."""


def _named(values: Sequence[str], option: str) -> dict[str, str]:
    named = {}
    for value in values:
        name, equals, place = value.partition("=")
        if not (name and equals and place):
            raise DataError(f"is {value!r}", where=option, allowed="NAME=PLACE")
        if name in named:
            raise DataError(f"names {name!r} twice", where=option)
        named[name] = place
    return named


@command.command()
@click.option(
    "--run", "runs", multiple=True, metavar="NAME=FOLDER",
    help="A configuration's evaluation: its folder or its ledger; repeatable.",
)  # fmt: skip
@click.option(
    "--labels", "label_files", multiple=True, metavar="NAME=FILE",
    help="A configuration's labels, as harness show --labels prints them; repeatable.",
)  # fmt: skip
@click.option("--table", type=FILE, help="Rows of configuration, item, passes and samples (jsonl).")
@click.option("--benchmark", help="Read only this benchmark or held-out set of the runs.")
@click.option(
    "--texts", type=FILE, help="Texts of the items (jsonl: id, problem), to predict items that nobody ran."
)
@click.option("--out", type=FILE, required=True, help="File of the scale.")
def fit(
    runs: Sequence[str], label_files: Sequence[str], table: Path | None, benchmark: str | None,
    texts: Path | None, out: Path,
) -> None:  # fmt: skip
    """Fit the 2PL model and write the scale; print abilities with their standard errors."""
    from harness_radar.features import fit_predictor
    from harness_radar.fit import fit as fit_matrix
    from harness_radar.matrix import matrix_of
    from harness_radar.scale import scale_of, write_scale
    from harness_radar.sources import counts, from_label_file, from_ledger, from_table, mean_tokens, texts_of

    cells = {name: from_ledger(Path(place), benchmark) for name, place in _named(runs, "--run").items()}
    cells |= {name: from_label_file(Path(p)) for name, p in _named(label_files, "--labels").items()}
    if table is not None:
        cells |= from_table(table)
    if not cells:
        raise click.UsageError("name outcomes: --run, --labels or --table")
    fitted = fit_matrix(matrix_of(counts(cells)))
    tokens = {name: spent for name, cell in cells.items() if (spent := mean_tokens(cell)) is not None}
    predictor = None if texts is None else fit_predictor(fitted.items, texts_of(texts))
    write_scale(scale_of(fitted, tokens, predictor), out)
    rows = sorted(zip(fitted.configurations, fitted.theta, fitted.theta_se, strict=True), key=lambda r: r[1])
    for name, theta, se in rows:
        extreme = "  solved nothing or everything: finite by the prior" if name in fitted.extreme else ""
        click.echo(f"{theta:7.2f} +- {se:.2f}  {name}{extreme}")
    click.echo(
        f"{len(fitted.items)} items, {len(rows)} configurations, {fitted.rounds} rounds; gauge: abilities of "
        "these configurations have mean 0 and standard deviation 1"
    )
    if predictor is not None:
        click.echo(
            f"from texts, left out: b within {predictor.b.sd:.2f} (R2 {predictor.b.r2:.2f}), log a within "
            f"{predictor.log_a.sd:.2f} (R2 {predictor.log_a.r2:.2f})"
        )
    click.echo(out)


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
    from harness_radar.choosing import front as places_of
    from harness_radar.choosing import hypervolume
    from harness_radar.picture import Point, picture
    from harness_radar.sources import from_ledger

    named = _named(runs, "--run")
    if strange := set(routers) - set(named):
        raise DataError(f"names {sorted(strange)[0]!r}", where="--router", allowed=", ".join(named))
    points = []
    for name, place in named.items():
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
