"""A board as a data set of the Hugging Face Hub: entries as parquet with a card, and back.

An entry is a row: what a table wants in columns of its own, and all of it as JSON in `entry`, from which it
is read back. Nothing of a benchmark's items is in it, and secrets of this process are blotted out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from harness.board.check import check_entry
from harness.board.entry import Entry
from harness.contract.errors import DataError, PluginError, RecipeError
from harness.recipe.errors import validated
from harness.recording.blotting import blot

ENTRIES: Final = "data/entries.parquet"
SAMPLES: Final = "data/samples"
CARD: Final = "README.md"


def row_of(entry: Entry) -> dict[str, Any]:
    """One entry as a row of plain values."""
    e, source = entry, entry.source
    return {
        "board": e.board, "kind": e.kind, "entry_name": e.label, "model": e.model.name,
        "weights_sha": e.model.weights_sha, "recipe": e.recipe.name, "arm": e.recipe.arm,
        "trainer": e.recipe.trainer, "simulated": e.recipe.simulated, "benchmark": e.benchmark.name,
        "benchmark_version": e.benchmark.version, "problems": e.benchmark.problems,
        "samples": e.benchmark.samples, "seeds": len(e.seeds), "metric": e.score.metric,
        "score": e.score.value, "rerun_low": e.score.rerun.low, "rerun_high": e.score.rerun.high,
        "benchmark_low": e.score.benchmark.low, "benchmark_high": e.score.benchmark.high,
        "profile": str(e.benchmark.profile.get("name", "")), "profile_sha": e.benchmark.profile_sha,
        "verifiers": json.dumps(e.verifiers, sort_keys=True), "tokens": e.health.tokens,
        "truncated": e.health.truncated, "no_answer": e.health.no_answer,
        "cost_rollouts": e.cost.rollouts, "cost_tokens": e.cost.tokens,
        "cost_cpu_seconds": e.cost.cpu_seconds, "finished": e.finished, "fingerprint": e.fingerprint,
        "source_url": source.url if source else "", "source_licence": source.licence if source else "",
        "file": e.file_name, "entry": blot(e.to_json()),
    }  # fmt: skip


def write_entries(entries: Sequence[Entry], folder: Path) -> Path:
    """Write `data/entries.parquet`.

    Raises:
        PluginError: pyarrow is not installed.
    """
    rows = [{k: blot(v) if isinstance(v, str) else v for k, v in row_of(e).items()} for e in entries]
    return write_parquet(rows, folder / ENTRIES)


def write_parquet(rows: Iterable[Mapping[str, Any]], path: Path) -> Path:
    """Write rows of equal columns; raises PluginError if pyarrow is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise PluginError(
            "parquet needs pyarrow, which is not installed", where="harness board export",
            hint="pip install 'staged-harness[parquet]'",
        ) from None  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return path


def read_entries(folder: Path) -> list[Entry]:
    """The entries of an exported data set, each checked.

    Raises:
        DataError: there are none, or one does not fit or contradicts itself.
        PluginError: pyarrow is not installed.
    """
    path = folder / ENTRIES if folder.is_dir() else folder
    if not path.is_file():
        raise DataError(f"there is no {ENTRIES}", where=str(folder))
    try:
        import pyarrow.parquet
    except ImportError:
        raise PluginError(
            "parquet needs pyarrow, which is not installed", where="harness board import",
            hint="pip install 'staged-harness[parquet]'",
        ) from None  # fmt: skip
    try:
        texts = pyarrow.parquet.read_table(path, columns=["entry"]).column("entry").to_pylist()
    except (pyarrow.ArrowException, OSError, KeyError) as error:
        raise DataError(f"cannot be read: {error}", where=str(path)) from None
    out = []
    for number, text in enumerate(texts, 1):
        where = f"{path}, row {number}"
        try:
            entry = validated(Entry, json.loads(text), where=where)
        except (ValueError, TypeError) as error:
            raise DataError(f"column 'entry' is not JSON: {error}", where=where) from None
        except RecipeError as error:
            raise DataError(error.what, where=where) from None
        if faults := check_entry(entry, where):
            raise DataError("; ".join(fault.what for fault in faults), where=where)
        out.append(entry)
    return out


def card(title: str, about: str, entries: Sequence[Entry], samples: Sequence[str], licence: str) -> str:
    """The data set's card: what is in it, what was measured and what judged anew, and how to check it.

    Args:
        samples: names of the sample files.
        licence: a licence's name as the Hub knows it.
    """
    configs = f"- config_name: entries\n  data_files: {ENTRIES}\n  default: true\n"
    if samples:
        configs += f"- config_name: samples\n  data_files: {SAMPLES}/*.parquet\n"
    rows = [
        f"| {_cell(e.label)} | {_cell(e.benchmark.name)} | {e.score.metric} | {100 * e.score.value:.1f} | "
        f"{100 * e.score.rerun.low:.1f} to {100 * e.score.rerun.high:.1f} | {e.kind} |"
        for e in entries
    ]
    anew = [e for e in entries if e.source is not None]
    words = [
        "---", f"license: {licence}", "tags:", "- leaderboard", "- evaluation", "configs:", configs + "---",
        f"\n# {title}\n", about, "",
        f"Entries of the board, {len(entries):,} in all, are in `data/entries.parquet`. The column `entry` "
        "holds each one whole, with the outcome of every problem and a hash of what was extracted. Scores "
        "are compared only if benchmark, profile and verifiers agree.\n",
        "| entry | benchmark | metric | score | rerun interval | kind |",
        "|---|---|---|---|---|---|", *rows,
    ]  # fmt: skip
    if anew:
        words.append("\nEntries of kind `rejudged` are other people's generations, judged anew:\n")
        words += [
            f"- {_cell(e.label)}: [{_cell(e.source.title)}]({e.source.url}), licence: "
            f"{_cell(e.source.licence)}; not known: {_cell(', '.join(e.source.unknown)) or 'nothing'}"
            for e in anew
            if e.source is not None
        ]
    if samples:
        words.append("\nSamples are in `data/samples`, a file for each evaluation.")
    words.append("\nTo check an entry: `harness board verify ENTRY --outputs FILE`.\n")
    return blot("\n".join(words))


def _cell(text: str) -> str:
    """Text inside a table of Markdown: one line, without bars and markup of its own."""
    flat = " ".join(text.split())
    for mark in "\\`*_[]<>|":
        flat = flat.replace(mark, f"\\{mark}")
    return flat
