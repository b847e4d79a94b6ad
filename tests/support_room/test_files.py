"""What a file of rows is called: the same for the command line, a benchmark and a task source."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.support import stem


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("mine.jsonl", "mine"),
        ("mine.jsonl.gz", "mine"),
        ("mine.gz", "mine"),
        ("mine.parquet", "mine"),
        ("mine.toml", "mine"),
        ("mine.2.jsonl", "mine.2"),
        ("mine.json.jsonl", "mine.json"),
        ("mine", "mine"),
    ],
)
def test_a_file_gives_its_name_without_one_ending(file: str, name: str) -> None:
    assert stem(Path("folder.jsonl") / file) == name
