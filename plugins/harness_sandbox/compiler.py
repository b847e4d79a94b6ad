"""Putting the host's C++ compiler into a tree: what it says that it uses, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from harness.contract import HarnessError

_PROGRAMS: Final = ("cc1plus", "collect2", "as", "ld")
_FILES: Final = (
    "crt1.o", "crti.o", "crtn.o", "crtbeginT.o", "crtend.o", "libstdc++.a", "libm.a", "libc.a", "libgcc.a",
    "libgcc_eh.a", "libpthread.a",
)  # fmt: skip
#: libm.a is a linker script if the vector library is a part of it.
_BESIDE: Final = ("libm-*.a", "libmvec.a")


class NoCompiler(HarnessError):
    """This host has no g++ that links statically."""


def copy(root: Path) -> list[Path]:
    """Copy the compiler into the tree, at the same paths; the programs, whose libraries are wanted too.

    Raises:
        NoCompiler: it is not installed, or lacks a part.
    """
    driver = shutil.which("g++")
    if driver is None:
        raise NoCompiler("g++ is not on the PATH", hint="apt-get install g++")
    programs = [Path("/usr/bin/g++")]
    (root / "usr/bin").mkdir(exist_ok=True)
    shutil.copy2(Path(driver).resolve(), root / "usr/bin/g++")
    for name in _PROGRAMS:
        told = _ask(driver, f"-print-prog-name={name}")
        programs.append(_copy_file(told if told.startswith("/") else shutil.which(told) or told, root))
    for name in _FILES:
        copied = _copy_file(_ask(driver, f"-print-file-name={name}"), root)
        if name == "libm.a":
            for pattern in _BESIDE:
                for path in copied.parent.glob(pattern):
                    _copy_file(str(path), root)
    for folder in _include_folders(driver):
        shutil.copytree(folder, root / str(folder).lstrip("/"), dirs_exist_ok=True)
    return [root / str(path).lstrip("/") for path in programs]


def _copy_file(path: str, root: Path) -> Path:
    source = Path(path)
    if not source.is_absolute() or not source.exists():
        raise NoCompiler(f"g++ lacks {path!r}", hint="apt-get install g++ libc6-dev")
    # The compiler looks for its parts by the name it gave, dots and all; the tree has the plain one.
    plain = source.parent.resolve() / source.name
    target = root / str(plain).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source.resolve(), target)
    return plain


def _include_folders(driver: str) -> list[Path]:
    done = subprocess.run(
        [driver, "-E", "-x", "c++", "-", "-v"], input="", capture_output=True, text=True, check=True
    )
    listed = re.search(
        r"#include <\.\.\.> search starts here:\n(.*?)End of search list", done.stderr, re.DOTALL
    )
    folders = [Path(line.strip()).resolve() for line in listed[1].splitlines()] if listed else []
    return [folder for folder in folders if folder.is_dir() and not str(folder).startswith("/usr/local")]


def _ask(driver: str, question: str) -> str:
    return subprocess.run([driver, question], capture_output=True, text=True, check=True).stdout.strip()
