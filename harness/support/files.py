"""Files of rows, and what they are called: a file gives its name to what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: Endings of files that hold rows, or describe them, which are no part of the name. The longest first.
ENDINGS: Final = (".jsonl.gz", ".parquet", ".jsonl", ".toml", ".gz")


def stem(path: Path) -> str:
    """A file's name without its ending: `mine` of `mine.jsonl.gz`."""
    ending = next((ending for ending in ENDINGS if path.name.endswith(ending)), "")
    return path.name.removesuffix(ending)
