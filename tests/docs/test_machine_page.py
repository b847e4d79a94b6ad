"""docs/how-to/machine.md names every file that a benchmark is read from, and every folder of the cache."""

from __future__ import annotations

import re

from harness_benchmarks.catalogue import ENTRIES

from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "how-to" / "machine.md").read_text(encoding="utf-8")
#: Several files, or one that a single release is also read from: the plugin of LiveCodeBench has them.
LIVECODEBENCH = {"livecodebench/code_generation_lite/test*.jsonl", "code/lcb_v6_problems.jsonl"}


def test_the_layout_of_the_data_folder_is_the_catalogues() -> None:
    table = PAGE.partition("<!-- layout:")[2].partition("<!-- /layout -->")[0]
    told = dict(re.findall(r"^\| `([^`]+)` \| `([^`]+)`", table, re.MULTILINE))
    real = {entry.file: name for name, entry in ENTRIES.items() if entry.file is not None}
    assert {file: name for file, name in told.items() if file not in LIVECODEBENCH} == real
    assert told.keys() >= LIVECODEBENCH
