"""Pins and their hashes: what constraints/NAME.txt pins, and pip's way to install exactly that.

constraints/NAME.txt says versions; constraints/hashes/NAME.txt, which scripts/hashes writes, says them
again with the sha256 of every wheel, in pip's own form. Where something is published as source alone, it
stands in constraints/hashes/NAME.source.txt. All that installs goes through `install`: pip compares every
file with its hash and takes a wheel or nothing. Sources are built in a second pass by the setuptools of
constraints/hashes/build.txt, because what pip would fetch to build them has no hash.

torch is the one package with two builds of a version, and pip with hashes prefers the index's to a CPU
build in a folder. So it stands by itself: NAME.torch-cpu.txt is taken where pip is offered a CPU build,
else NAME.torch.txt.

Only Python's own library is used: this runs before anything is installed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints"
HASHES = CONSTRAINTS / "hashes"
PIN = re.compile(r"([A-Za-z0-9][\w.-]*)==([^\s;\\]+)")


class Stale(Exception):
    """Pins and hashes do not agree."""


def read(file: Path) -> tuple[list[Path], list[str]]:
    """The files that a file of pins includes with `-r`, and its other lines; comments are dropped."""
    text = file.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for raw in text.splitlines() if (line := re.sub(r"(^|\s)#.*", "", raw).strip())]
    included = [file.parent / line.split()[1] for line in lines if line.startswith("-r ")]
    return included, [line for line in lines if not line.startswith("-r ")]


def canonical(name: str) -> str:
    """A distribution's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: Path) -> dict[str, str]:
    """Name -> version of a file's own pins."""
    found = (PIN.match(line) for line in read(file)[1])
    return {canonical(match[1]): match[2] for match in found if match}


def hashed(name: str) -> dict[str, str]:
    """Name -> version of all that has hashes under this name, what is included and what is source, too."""
    return dict(_hashed(HASHES / f"{name}.txt"))


def _hashed(file: Path) -> Iterator[tuple[str, str]]:
    for each in (file, file.with_suffix(".source.txt"), file.with_suffix(".torch.txt")):
        if each.exists():
            yield from pins(each).items()
            for other in read(each)[0]:
                yield from _hashed(other)


def check(name: str) -> None:
    """Compare pins with hashes.

    Raises:
        Stale: a pin has no hashes, or hashes have no pin.
    """
    wanted, there = pins(CONSTRAINTS / f"{name}.txt"), hashed(name)
    wrong = sorted(key for key in wanted | there if wanted.get(key) != there.get(key))
    if wrong:
        shown = ", ".join(f"{key} ({wanted.get(key, 'not pinned')})" for key in wrong[:5])
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise Stale(
            f"constraints/hashes/{name}.txt does not have the pins of constraints/{name}.txt: {shown}{more}\n"
            f"  next: make hashes"
        )


def pip(python: Path | str, *words: str, path: str = "") -> None:
    """Run an interpreter's pip; its words go to standard error.

    Raises:
        subprocess.CalledProcessError: pip ended otherwise than well.
    """
    env = os.environ | ({"PYTHONPATH": path} if path else {})
    subprocess.run(_pip(python, *words), check=True, stdout=sys.stderr, env=env)


def _pip(python: Path | str, *words: str) -> list[str]:
    return [str(python), "-m", "pip", "--disable-pip-version-check", *words]


def is_offered(python: Path | str, name: str, version: str) -> bool:
    """Whether pip, as it is set up on this machine, finds a version for an interpreter."""
    listed = subprocess.run(
        _pip(python, "index", "versions", name), capture_output=True, text=True, check=False
    )
    if listed.returncode:
        print(listed.stderr, file=sys.stderr)
    listed.check_returncode()
    return version in re.split(r"[\s,()]+", listed.stdout)


def torch(python: Path | str, index: Path) -> Path:
    """Which of the two files says the build of torch to install."""
    cpu = index.with_name(index.name.replace(".torch.", ".torch-cpu."))
    version = pins(cpu)["torch"]
    if is_offered(python, "torch", version):
        return cpu
    print(f"torch: pip is offered no {version} here; taking {pins(index)['torch']}", file=sys.stderr)
    return index


def install(python: Path | str, name: str) -> None:
    """Install what constraints/hashes/NAME.txt says into an interpreter's environment, and no dependencies.

    Raises:
        subprocess.CalledProcessError: a file has another hash, or there is none for this machine.
    """
    quiet = ("install", "--quiet", "--no-deps", "--require-hashes")
    files = [HASHES / f"{name}.txt"]
    files += [torch(python, each) for each in _included(files[0], ".torch.txt")]
    pip(python, *quiet, *(word for file in files for word in ("--requirement", str(file))))
    if not (sources := _included(files[0], ".source.txt")):
        return
    with tempfile.TemporaryDirectory(prefix="build-") as tools:
        pip(python, *quiet, "--target", tools, "--requirement", str(HASHES / "build.txt"))
        build = ("--no-build-isolation", "--use-pep517")
        pip(
            python,
            *quiet,
            *build,
            *(word for file in sources for word in ("--requirement", str(file))),
            path=tools,
        )


def _included(file: Path, ending: str) -> list[Path]:
    """The files with an ending beside a file and beside those that it includes."""
    own = file.with_suffix(ending)
    return [each for other in read(file)[0] for each in _included(other, ending)] + (
        [own] if own.exists() else []
    )
