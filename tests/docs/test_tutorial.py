"""The tutorial and the README are true: their files are written, their commands run, and they print
what the page says.

Code blocks say what they are: `python file=NAME` writes a file (`append` adds to it), `console` runs
its `$` lines in order in a fresh environment. Expected output is compared line by line with runs of
spaces as one; `...` within a line stands for any text, alone on a line for any lines. A command is
expected to succeed unless a comment `$ # exit code N` follows it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.environments import Environment, new_environment
from tests.support.places import ROOT

#: Page -> how many commands it runs at least, lest a change of format runs none.
PAGES = {"docs/tutorials/plugin.md": 10, "README.md": 8, "docs/how-to/own-tasks.md": 4}
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Command:
    line: str
    expected: list[str] = field(default_factory=list)
    code: int = 0


def commands(block: str) -> Iterator[Command]:
    current: Command | None = None
    for line in block.splitlines():
        if line.startswith("$ # exit code "):
            assert current is not None
            current.code = int(line.removeprefix("$ # exit code "))
        elif line.startswith("$ "):
            if current is not None:
                yield current
            current = Command(line[2:])
        else:
            assert current is not None, f"output before any command: {line}"
            current.expected.append(line)
    if current is not None:
        yield current


def fits(expected: list[str], output: str) -> bool:
    """Whether an output is what the page shows."""
    pattern = ""
    for line in expected:
        if line == "...":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            parts = [re.escape(" ".join(part.split(" "))) for part in _squeezed(line).split("...")]
            pattern += r"[^\n]*".join(parts) + r"\n"
    text = "".join(f"{_squeezed(line)}\n" for line in output.splitlines())
    return re.fullmatch(pattern, text) is not None


def _squeezed(line: str) -> str:
    return re.sub(r"\s+", " ", line).rstrip()


def test_fits_is_strict() -> None:
    assert fits(["a ... c", "..."], "a  b c\nd\ne\n")
    assert fits([], "")
    assert not fits(["a"], "a\nb\n")
    assert not fits(["..", "a"], "b\na\n")
    assert not fits(["a ... c"], "a b d\n")


def run(environment: Environment, folder: Path, command: Command) -> subprocess.CompletedProcess[str]:
    hidden = ("HARNESS_", "PYTHON", "XDG_", "PYTEST_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    env |= {"HOME": str(environment.folder), "PATH": f"{environment.folder / 'bin'}:{env['PATH']}"}
    env |= {"OMP_NUM_THREADS": "1", "COLUMNS": "200", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return subprocess.run(
        command.line,
        shell=True,
        cwd=folder,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """One with the commands `harness` and `pip` in it, as a user's has."""
    made = new_environment(tmp_path / "env")
    scripts = {
        "harness": f'exec "{made.python}" -m harness "$@"',
        "pip": f'exec "{sys.executable}" -m pip --python "{made.python}" "$@"',
    }
    for name, line in scripts.items():
        path = made.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{line}\n")
        path.chmod(0o755)
    return made


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_the_page_works(page: str, environment: Environment, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the page trains a small model with torch")
    folder = tmp_path / "mine"
    folder.mkdir()
    ran = 0
    for language, info, text in FENCE.findall((ROOT / page).read_text(encoding="utf-8")):
        words = dict(word.partition("=")[::2] for word in info.split())
        if "file" in words:
            path = folder / words["file"]
            old = path.read_text() + "\n\n" if "append" in words else ""
            path.write_text(old + text, encoding="utf-8")
            continue
        if language == "sh" and page == "README.md":
            continue  # `test_first_hour` runs these, with a model and a server
        if language != "console":
            # A fragment without a file name must at least be what it says it is.
            assert language == "python", f"a block that nobody runs: {text}"
            compile(text, page, "exec")
            continue
        for command in commands(text):
            if re.search(r"\bmake\b", command.line):
                continue  # what CI itself runs, on the checkout
            done = run(environment, folder, command)
            assert done.returncode == command.code, f"$ {command.line}\n{done.stdout}"
            if command.expected:
                assert fits(command.expected, done.stdout), f"$ {command.line}\n{done.stdout}"
            ran += 1
    assert ran >= PAGES[page]


def test_every_dependency_has_its_line() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (ROOT / "docs" / "reference" / "dependencies.md").read_text(encoding="utf-8")
    extras = project["optional-dependencies"]
    for line in [*project["dependencies"], *(line for lines in extras.values() for line in lines)]:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        assert name == "staged-harness" or re.search(rf"\b{re.escape(name)}\b", page), (
            f"docs/reference/dependencies.md lacks {name}"
        )
