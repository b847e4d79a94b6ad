"""A board's folder on disk: its `board.toml` and its entries."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.blotting import blot
from harness.board.entry import Entry


def write_entry(folder: Path, entry: Entry) -> Path:
    """Write one entry into a board's folder, replacing the same recipe's and arm's by the same verifiers.

    One by other verifiers, as from judging recorded answers again, goes beside the first.
    """
    path = folder / "entries" / entry.file_name
    if path.is_file() and set(json.loads(path.read_bytes()).get("verifiers", {})) != set(entry.verifiers):
        path = path.with_name(f"{path.stem}-{'+'.join(sorted(entry.verifiers))}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_text(blot(entry.to_json()), encoding="utf-8")
    scratch.replace(path)
    return path


def ensure_board(folder: Path, title: str, about: str, entries: Sequence[Entry]) -> None:
    """Make `board.toml` where there is none, with a column for each benchmark."""
    path = folder / "board.toml"
    if path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    names = dict.fromkeys(entry.benchmark.name for entry in entries)
    lines = [f"title = {_toml(title)}", f"about = {_toml(about)}"]
    for name in names:
        lines += ["", "[[columns]]", f"benchmark = {_toml(name)}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _toml(text: str) -> str:
    """A TOML basic string, which JSON's escapes are a subset of."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
