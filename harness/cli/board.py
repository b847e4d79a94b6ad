"""`harness board`: the leaderboards as a folder of data, checked and made into pages."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.folders import FOLDER, of_boards
from harness.cli.publish import export, import_
from harness.contract.errors import DataError

FILE = click.Path(dir_okay=False, path_type=Path)
#: Differing problems that `verify` lists.
SHOWN = 20


@click.group("board")
def command() -> None:
    """Build the leaderboards' pages, check and verify entries, add, export and import them."""


@command.command()
@click.argument("leaderboards", type=FOLDER, default=Path("leaderboards"))
@click.option("--out", type=FOLDER, help="Folder for the site. Default: LEADERBOARDS/site.")
def build(leaderboards: Path, out: Path | None) -> None:
    """Make a static site from the boards in LEADERBOARDS."""
    from harness.board.site import build_site

    written = build_site(leaderboards, out or leaderboards / "site")
    click.echo(f"{len(written)} pages: {written[0]}")


@command.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """Check entries and boards: PATHS are entries, boards, or folders of boards (default: leaderboards).

    A board is refused if `harness board build` would refuse it, or leave an entry out.
    """
    from harness.board.check import check_board, check_file

    places = paths or (Path("leaderboards"),)
    files = [file for path in places for file in _entries(path)]
    boards = [board for path in places for board in _boards(path)]
    faults = [fault for file in files for fault in check_file(file)]
    faults += [fault for board in boards for fault in check_board(board)]
    for fault in faults:
        click.echo(str(fault), err=True)
    refused = {fault.where for fault in faults}
    entries = refused & {str(file) for file in files}
    boards_said = f"; {len(boards)} boards, {len(refused - entries)} of their files refused" if boards else ""
    click.echo(f"{len(files)} entries, {len(entries)} refused{boards_said}")
    if faults:
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--board", help="The board's folder name. Default: the entry's own, or the recipe's name.")
@of_boards
@click.option(
    "--source", "origin", type=FILE, metavar="FILE",
    help="TOML file that says where imported answers come from: title, url, commit, licence, retrieved, "
    "unknown. The entries are of kind rejudged.",
)  # fmt: skip
def add(source: Path, board: str | None, leaderboards: Path, origin: Path | None) -> None:
    """Add an entry file, or all entries of the study folder SOURCE, after checking them."""
    from harness.board.build import entries
    from harness.board.check import check_entry, read_entry
    from harness.board.folder import board_folder, ensure_board, read_options, read_source, write_entry
    from harness.readout import read_study

    title = about = ""
    if source.is_dir():
        study = read_study(source)
        title, about = study.recipe, study.text
        made = entries(study, board or study.recipe, None if origin is None else read_source(origin))
    else:
        made = [read_entry(source)]
        if board is not None and made[0].board != board:
            raise DataError(f"belongs to board {made[0].board!r}", where=str(source), allowed=board)
    faults = [fault for entry in made for fault in check_entry(entry, entry.label)]
    if faults:
        raise DataError("refused:\n  " + "\n  ".join(map(str, faults)), where=str(source))
    for entry in made:
        folder = board_folder(leaderboards, entry.board)
        if (folder / "board.toml").exists():
            columns = {column.benchmark for column in read_options(folder).columns}
            if entry.benchmark.name not in columns:
                raise DataError(
                    f"the board has no column {entry.benchmark.name!r}, so the entry would be on no page",
                    where=str(folder / "board.toml"), allowed=", ".join(sorted(columns)),
                    hint=f'add:\n[[columns]]\nbenchmark = "{entry.benchmark.name}"',
                )  # fmt: skip
    for entry in made:
        folder = leaderboards / entry.board
        ensure_board(folder, title or entry.board, about, made)
        click.echo(write_entry(folder, entry))


@command.command()
@click.argument("entry", type=FILE)
@click.option(
    "--outputs", type=click.Path(path_type=Path), required=True, metavar="FILE",
    help="The samples: a file as harness score --import takes it, or the folder of an evaluation.",
)  # fmt: skip
@click.option("-b", "--benchmark", default="", help="Benchmark, if it is not the entry's: your own file.")
@click.option("--profile", default="", help="Profile, if it is not found by the entry's name for it.")
@click.option(
    "--override", "overrides", multiple=True, metavar="PATH=VALUE",
    help="Change a field of the profile; repeatable.",
)  # fmt: skip
def verify(entry: Path, outputs: Path, benchmark: str, profile: str, overrides: tuple[str, ...]) -> int:
    """Judge the samples of ENTRY again, and compare outcomes and answers problem by problem.

    Exit code 1 if the outcome or the answers of a problem differ.
    """
    from harness.benchmarking.verifying import verify_entry
    from harness.board.check import read_entry
    from harness.cli.context import load_plugins

    made = read_entry(entry)
    verification = verify_entry(
        made, outputs, load_plugins(), benchmark=benchmark, profile=profile, overrides=overrides,
        say=lambda line: click.echo(line, err=True),
    )  # fmt: skip
    for name, (stated, now) in verification.facts.items():
        click.echo(f"{name}: {stated or 'not stated'} in the entry, {now} now")
    for difference in verification.differences[:SHOWN]:
        click.echo(str(difference))
    if len(verification.differences) > SHOWN:
        click.echo(f"and {len(verification.differences) - SHOWN} more")
    if not verification.confirmed:
        click.echo(f"{len(verification.differences)} of {verification.problems} problems come out otherwise")
        return 1
    what = "outcomes and answers" if verification.answers_stated else "outcomes (the entry states no answers)"
    click.echo(f"confirmed: {what} of all {verification.problems} problems are the entry's")
    return 0


command.add_command(export)
command.add_command(import_)


def _boards(path: Path) -> list[Path]:
    """The boards that a path names: itself, or those in it; none for an entry."""
    if path.is_file():
        return []
    folders = {file.parent for file in path.glob("*/board.toml")} | {f.parent for f in path.glob("*/entries")}
    if (path / "board.toml").is_file() or (path / "entries").is_dir():
        folders.add(path)
    return sorted(folders)


def _entries(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = sorted({*path.glob("*/entries/*.json"), *path.glob("entries/*.json")})
    if not path.is_dir():
        raise DataError("no such file or folder", where=str(path))
    return files
