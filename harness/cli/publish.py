"""`harness board export` and `harness board import`: boards in the Hugging Face Hub's forms."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.folders import FOLDER, of_boards
from harness.contract.errors import DataError, counted

if TYPE_CHECKING:
    from harness.board.entry import Entry
    from harness.plugging.plugins import Plugins


@click.command("export")
@click.argument("board", type=FOLDER)
@click.option("--out", type=FOLDER, required=True, help="Folder to write to.")
@click.option(
    "--samples", "runs", multiple=True, type=FOLDER, metavar="RUN",
    help="Write the samples of this evaluation, too; repeatable. Gated benchmarks are left out.",
)  # fmt: skip
@click.option(
    "--eval-results", is_flag=True,
    help="Write .eval_results/*.yaml for the models' repositories instead of a data set.",
)  # fmt: skip
@click.option("--url", default="", help="With --eval-results: a page about these results, as their source.")
@click.option("--license", "licence", default="other", show_default=True, help="Licence on the card.")
@click.option(
    "--push", metavar="OWNER/NAME",
    help="Send the data set to the Hub (HF_ENDPOINT, HF_TOKEN). Without it nothing is sent.",
)  # fmt: skip
@click.option("--public", is_flag=True, help="With --push: a new data set is made public, not private.")
def export(
    board: Path, out: Path, runs: tuple[Path, ...], eval_results: bool, url: str, licence: str,
    push: str | None, public: bool,
) -> None:  # fmt: skip
    """Write BOARD as a data set: entries as parquet with a card and, if asked, samples.

    Entries that a board's page would refuse are not exported.
    """
    from harness.board import dataset
    from harness.board.folder import read_options
    from harness.cli.context import load_plugins

    options = read_options(board)
    entries = _entries(board)
    plugins = load_plugins()
    if eval_results:
        if push is not None or runs:
            raise click.UsageError("--eval-results writes files for models' repositories and nothing else")
        _export_results(board, entries, out, plugins, url)
        return
    out.mkdir(parents=True, exist_ok=True)
    dataset.write_entries(entries, out)
    names = []
    for run in runs:
        from harness.benchmarking.sample_export import write_samples

        path, left_out = write_samples(run, out, plugins)
        for line in left_out:
            click.echo(f"left out: {line}", err=True)
        names += [] if path is None else [path.name]
    text = dataset.card(options.title, options.about, entries, names, licence)
    (out / dataset.CARD).write_text(text, encoding="utf-8")
    click.echo(f"{out}: {len(entries)} entries, samples of {counted(len(names), 'evaluation')}")
    if push is not None:
        from harness.board.pushing import push as send

        click.echo(send(out, push, private=not public))


def _export_results(board: Path, entries: list[Entry], out: Path, plugins: Plugins, url: str) -> None:
    from harness.board.eval_results import write_results

    written, left_out = write_results(entries, _repos(plugins), out, url)
    for line in left_out:
        click.echo(f"left out: {line}", err=True)
    for path in written:
        click.echo(path)
    if not written:
        raise DataError(
            f"none of its entries ({len(entries):,}) is a result for a model's repository: none is written",
            where=str(board), hint=f"a data set holds them all: harness board export {board} --out {out}",
        )  # fmt: skip
    click.echo(f"{out}: {counted(len(written), 'file')}, of {len(entries):,} entries")


def _entries(board: Path) -> list[Entry]:
    """The board's entries that its page would show; the others are named."""
    from harness.board.check import check_entry, misplaced, read_entry
    from harness.board.folder import read_options

    columns = {column.benchmark for column in read_options(board).columns}
    good = []
    for path in sorted((board / "entries").glob("*.json")):
        try:
            entry = read_entry(path)
        except DataError as error:
            click.echo(f"left out: {path.name}: {error.what.splitlines()[0]}", err=True)
            continue
        faults = [fault.what for fault in check_entry(entry)] + misplaced(
            entry, board.resolve().name, columns
        )
        if faults:
            click.echo(f"left out: {path.name}: {faults[0]}", err=True)
        else:
            good.append(entry)
    if not good:
        raise DataError("has no entry that may be exported", where=str(board), hint="harness board check")
    return good


def _repos(plugins: Plugins) -> dict[str, str]:
    """Benchmark -> the data set of the Hub that it is."""
    from harness.contract.capabilities import BenchmarkCapabilities

    repos = {r.full_name: r.able(BenchmarkCapabilities).repo for r in plugins.registry.all("benchmarks")}
    return {name: repo for name, repo in repos.items() if repo}


@click.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("--board", "name", required=True, help="The board's folder name.")
@of_boards
@click.option("--url", default="", help="Where SOURCE was read, if it does not say so itself.")
@click.option("--model", default="", help="Whose results they are. Default: the folder of the repository.")
@click.option(
    "--entries", is_flag=True,
    help="Take the entries of an exported data set as entries, not as cited rows: they carry all outcomes.",
)  # fmt: skip
def import_(source: Path, name: str, leaderboards: Path, url: str, model: str, entries: bool) -> None:
    """Take SOURCE into a board as cited rows: a file of .eval_results, or an exported data set.

    Cited rows stand below the measured ones and are never ranked with them.
    """
    from harness.board import dataset, eval_results
    from harness.board.check import misplaced
    from harness.board.folder import board_folder, read_options, write_entry
    from harness.cli.context import load_plugins

    board = board_folder(leaderboards, name)
    columns = {column.benchmark for column in read_options(board).columns}
    if source.suffix in (".yaml", ".yml"):
        if entries:
            raise click.UsageError("--entries: a file of .eval_results holds no outcomes")
        repos = {r.lower(): b for b, r in _repos(load_plugins()).items() if b in columns}
        reference = eval_results.read_results(source, model or _model_of(source), repos, url)
        click.echo(_write_reference(board, reference.title, eval_results.reference_toml(reference)))
        return
    theirs = dataset.read_entries(source)
    if entries:
        made = [entry.model_copy(update={"board": name}) for entry in theirs]
        if faults := [fault for entry in made for fault in misplaced(entry, name, columns)]:
            raise DataError(faults[0], where=str(board / "board.toml"))
        for entry in made:
            click.echo(write_entry(board, entry))
        return
    kept = [entry for entry in theirs if entry.benchmark.name in columns]
    if not kept or not url:
        raise DataError(
            "has no entry of the board's benchmarks" if not kept else "cited rows need their address",
            where=str(source), hint="" if not kept else "--url ADDRESS, where it was read",
        )  # fmt: skip
    reference = eval_results.cited(kept, url, f"Board {theirs[0].board!r}, as exported")
    click.echo(_write_reference(board, reference.title, eval_results.reference_toml(reference)))


def _model_of(source: Path) -> str:
    """The model whose repository holds a file: `<model>/.eval_results/<file>`."""
    parent = source.resolve().parent
    return parent.parent.name if parent.name == ".eval_results" else source.stem


def _write_reference(board: Path, title: str, text: str) -> Path:
    stem = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:80]
    path = board / "references" / f"{stem}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)
    return path
