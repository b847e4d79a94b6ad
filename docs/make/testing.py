"""Writes docs/reference/testing.md: the slowest tests, what each proves and what it costs.

python docs/make/testing.py REPORT.xml [MORE.xml ...]

The reports are pytest's, written with `-o junit_family=xunit1 --junitxml=REPORT.xml`.

What a test proves is its docstring, or its name read as a sentence. Cases of one test are one row.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
PAGE: Final = HERE.parent / "reference" / "testing.md"
SLOWEST: Final = 50
START: Final = "<!-- written by docs/make/testing.py -->\n"


def seconds(reports: Sequence[Path]) -> Mapping[tuple[str, str], list[float]]:
    """By file and function, the seconds of each case with its set-up and tear-down."""
    cases: dict[tuple[str, str], list[float]] = defaultdict(list)
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            if case.find("skipped") is None:
                function = re.sub(r"\[.*", "", case.attrib["name"], flags=re.DOTALL)
                cases[case.attrib["file"], function].append(float(case.attrib["time"]))
    return cases


def proves(file: str, function: str) -> str:
    """A test's docstring up to its first full stop, or its name as a sentence."""
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == function:
            words = " ".join((ast.get_docstring(node) or "").split())
            if words:
                return re.split(r"(?<=[.:;])\s", words)[0].rstrip(".:;").replace("|", "\\|")
    words = function.removeprefix("test_").replace("_", " ")
    return words[:1].upper() + words[1:]


def table(cases: Mapping[tuple[str, str], Sequence[float]]) -> Iterator[str]:
    slowest = sorted(cases, key=lambda test: -sum(cases[test]))[:SLOWEST]
    whole, these = (sum(sum(cases[test]) for test in tests) for tests in (cases, slowest))
    yield (
        f"{sum(map(len, cases.values())):,} cases of {len(cases):,} tests took {whole:,.0f} s, "
        f"{these / whole:.0%} of them in these {len(slowest)}."
    )
    yield ""
    yield "| seconds | cases | what it proves | where |"
    yield "|---:|---:|---|---|"
    for file, function in slowest:
        spent = cases[file, function]
        yield f"| {sum(spent):.0f} | {len(spent)} | {proves(file, function)} | `{file}` |"


def main(arguments: Sequence[str]) -> int:
    if not arguments:
        print(__doc__)
        return 2
    lines = "\n".join(table(seconds([Path(path) for path in arguments])))
    head = PAGE.read_text(encoding="utf-8").partition(START)[0]
    PAGE.write_text(f"{head}{START}\n{lines}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
