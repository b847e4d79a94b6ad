"""The README on evaluating, followed word for word: a small model, a server, another tool's answers."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("math_verify", reason="needs the extra 'math'")

from harness.support.folders import cache_folder
from tests.support.evaluations import math500_rows, write_rows
from tests.support.places import ROOT
from tests.support.runs import harness

ADDRESS = "http://127.0.0.1:8000/v1"
#: The gold answers of MATH-500's first two problems, which the README's answers are about.
GOLDS = ("\\left( 3, \\frac{\\pi}{2} \\right)", "p - q")


def section() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return text.partition("## Evaluate a model\n")[2].partition("\n## ")[0]


def commands() -> list[str]:
    """The lines of the section's `sh` blocks, without comments."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", section(), re.MULTILINE | re.DOTALL)
    return [line.partition(" #")[0].strip() for block in blocks for line in block.splitlines()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder with the section's files, and the benchmark's rows."""
    rows = math500_rows()
    for row, gold in zip(rows, GOLDS, strict=False):
        row["answer"] = gold
    write_rows(tmp_path / "data", rows)
    for name, content in re.findall(r"^```json file=(\S+)\n(.*?)^```$", section(), re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(content)
    return tmp_path


def follow(home: Path, lines: Iterator[str] | list[str]) -> str:
    """Runs lines; each must end well. Returns what the last one printed."""
    said = ""
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "harness", line
        done = harness(
            *words[1:], cwd=home, seconds=900,
            HARNESS_DATA=str(home / "data"), HARNESS_CACHE=str(cache_folder()),
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{line}\n{said}"
    return said


def test_the_extras_to_install_are_those_that_the_section_needs() -> None:
    (line,) = [line for line in commands() if line.startswith("pip install")]
    named = set(re.findall(r"\[(.*)\]", line)[0].split(","))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert named <= set(extras)
    assert named == {"torch", "math", "hub", "gguf", "openai"}


def test_a_server_and_another_tools_answers(home: Path) -> None:
    pytest.importorskip("aiohttp", reason="needs the extra 'openai'")
    from tests.support.openai_server import serving

    lines = [line for line in commands() if re.search("my-model|answers", line)]
    assert len(lines) == 3
    with serving(model="my-model") as server:
        said = follow(home, [line.replace(ADDRESS, server.url) for line in lines])
        assert ADDRESS in "\n".join(lines)
        assert len(server.bodies) == 2
    assert "B 100.0 %, B minus A +100.0 points" in said


@pytest.mark.heavy
def test_a_small_model(home: Path) -> None:
    pytest.importorskip("gguf", reason="needs the extra 'gguf'")
    lines = [line for line in commands() if "smollm2" in line]
    assert len(lines) == 4
    said = follow(home, lines)
    assert re.search(r"math500 +2 +avg@2", said)
