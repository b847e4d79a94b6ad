"""`harness board`: the leaderboards as a folder of data, checked and made into pages."""

from __future__ import annotations

from pathlib import Path

import click

from harness.errors import DataError

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("board")
def command() -> None:
    """Build the leaderboard's pages, check its entries, add new ones."""


@command.command()
@click.argument("leaderboards", type=FOLDER, default=Path("leaderboards"))
@click.option("--out", type=FOLDER, help="Where the site goes. Default: LEADERBOARDS/site.")
def build(leaderboards: Path, out: Path | None) -> None:
    """Make a static site from the boards in LEADERBOARDS."""
    from harness.board.site import build_site

    written = build_site(leaderboards, out or leaderboards / "site")
    click.echo(f"{len(written)} pages: {written[0]}")


@command.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """Check entries: PATHS are files, or folders of boards (default: leaderboards)."""
    from harness.board.check import check_file

    files = [file for path in paths or (Path("leaderboards"),) for file in _entries(path)]
    faults = [fault for file in files for fault in check_file(file)]
    for fault in faults:
        click.echo(str(fault), err=True)
    click.echo(f"{len(files)} entries, {len({f.where for f in faults})} refused")
    if faults:
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--board", help="The board's folder name. Default: the entry's own, or the recipe's name.")
@click.option("--leaderboards", type=FOLDER, default=Path("leaderboards"), show_default=True)
def add(source: Path, board: str | None, leaderboards: Path) -> None:
    """Add an entry file, or all entries of the study folder SOURCE, after checking them."""
    from harness.board.build import entries
    from harness.board.check import check_entry, read_entry
    from harness.board.folder import ensure_board, write_entry
    from harness.readout import read_study

    title = about = ""
    if source.is_dir():
        study = read_study(source)
        title, about = study.recipe, study.text
        made = entries(study, board or study.recipe)
    else:
        made = [read_entry(source)]
        if board is not None and made[0].board != board:
            raise DataError(f"belongs to board {made[0].board!r}", where=str(source), allowed=board)
    faults = [fault for entry in made for fault in check_entry(entry, entry.label)]
    if faults:
        raise DataError("refused:\n  " + "\n  ".join(map(str, faults)), where=str(source))
    for entry in made:
        folder = leaderboards / entry.board
        ensure_board(folder, title or entry.board, about, made)
        click.echo(write_entry(folder, entry))


def _entries(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted({*path.glob("*/entries/*.json"), *path.glob("entries/*.json")})
    if not path.is_dir():
        raise DataError("no such file or folder", where=str(path))
    return found
