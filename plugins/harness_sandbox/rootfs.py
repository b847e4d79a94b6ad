"""The file tree that programs see: a Python, its libraries and the server, made without any registry.

It is built from the interpreter that runs this: standard library without tests and toolkits, the
shared libraries that `ldd` names, the server's package. The same tree becomes the Docker image and
the root of the `namespaces` and `bubblewrap` kinds. Nothing else of the host is in it.
"""

from __future__ import annotations

import compileall
import hashlib
import importlib.util
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import harness_runner

from harness.contract import HarnessError
from harness.support import Scratch
from harness_sandbox import compiler

#: Counts up when what is put into a tree changes.
LAYOUT: Final = 1
RUNNER: Final = Path(harness_runner.__file__).parent
#: Where things are inside.
PYTHON: Final = "/usr/local/bin/python3"
RUNNER_ROOT: Final = "/opt/runner"
#: How the server is started inside; its configuration is the argument after it. Not isolated (-I): the
#: seed of hashes comes by the environment, which holds nothing else.
SERVER_COMMAND: Final = (
    PYTHON, "-s", "-P", "-S", "-X", "utf8", "-c",
    f"import sys; sys.path.insert(0, {RUNNER_ROOT!r}); from harness_runner.server import main; main()",
)  # fmt: skip
_LEFT_OUT: Final = (
    "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "site-packages",
    "dist-packages", "config-*", "venv", "pydoc_data", "turtle.py", "*.a",
)  # fmt: skip
#: Environment of a server and of all jobs: nothing of ours, and the same hash of a string every time.
ENVIRONMENT: Final = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
#: That of a server that many jobs are forked from: its libraries are linked once, and not in each of them.
#: The server takes it out of what programs see.
WARM_ENVIRONMENT: Final = {**ENVIRONMENT, "LD_BIND_NOW": "1"}


class BuildError(HarnessError):
    """A tree or an image could not be made."""


def digest(packages: Sequence[str] = (), language: str = "python") -> str:
    """Names a tree by what it is made from: layout, interpreter, packages, the server's code."""
    known = hashlib.blake2b(digest_size=6)
    known.update(f"{LAYOUT} {sys.version} {platform.machine()} {sorted(packages)} {language}".encode())
    for path in sorted(RUNNER.glob("*.py")):
        known.update(path.name.encode() + path.read_bytes())
    return known.hexdigest()


def folder(cache: Path, packages: Sequence[str] = (), language: str = "python") -> Path:
    """Where the tree of this version lies, or would."""
    return cache / "sandboxes" / f"{language}-{digest(packages, language)}"


def build(cache: Path, packages: Sequence[str] = (), language: str = "python") -> Path:
    """The tree's folder, made now if it is not there yet.

    Raises:
        BuildError: a package is not installed, or a library cannot be found.
    """
    final = folder(cache, packages, language)
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    scratch = Scratch("tree", final.parent)
    try:
        _fill(scratch.path, packages, language)
        scratch.path.chmod(0o755)
        try:
            scratch.path.rename(final)
        except OSError:
            if not final.is_dir():  # else another process was faster, with the same content
                raise
    finally:
        scratch.close()
    return final


def tar(tree: Path) -> bytes:
    """The tree as a tar archive of root's files."""

    def owned(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        return info

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.add(tree, arcname=".", filter=owned)
    return buffer.getvalue()


def _fill(root: Path, packages: Sequence[str], language: str) -> None:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for name in (
        "usr/local/bin",
        "usr/local/lib",
        "usr/lib",
        "opt/runner",
        "etc",
        "proc",
        "sys",
        "dev",
        "run",
    ):
        (root / name).mkdir(parents=True)
    for link in ("lib", "lib64", "usr/lib64"):
        (root / link).symlink_to("usr/lib" if "/" not in link else "lib")
    (root / "bin").symlink_to("usr/local/bin")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n")

    interpreter = Path(os.path.realpath(sys._base_executable))  # type: ignore[attr-defined]
    binary = root / "usr/local/bin" / version
    shutil.copy2(interpreter, binary)
    for alias in ("python3", "python"):
        (binary.parent / alias).symlink_to(version)
    ignore = shutil.ignore_patterns(*_LEFT_OUT, "*.opt-1.pyc", "*.opt-2.pyc")
    library = root / "usr/local/lib" / version
    shutil.copytree(sysconfig.get_path("stdlib"), library, ignore=ignore, symlinks=False)
    shutil.copytree(RUNNER, root / "opt/runner/harness_runner", ignore=shutil.ignore_patterns("__pycache__"))
    for package in packages:
        _copy_package(package, library / "site-packages")
    compileall.compile_dir(library, quiet=2, stripdir=root, maxlevels=20)
    compileall.compile_dir(root / "opt", quiet=2, stripdir=root)
    programs = compiler.copy(root) if language == "cpp" else []
    _copy_libraries(root, [binary, *programs, *root.rglob("*.so"), *root.rglob("*.so.*")])
    for path in root.rglob("*"):
        if not path.is_symlink() and path != root / "tmp":
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _copy_package(name: str, target: Path) -> None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise BuildError(f"package {name!r} is not installed here", hint=f"pip install {name}")
    source = Path(spec.submodule_search_locations[0])
    shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("tests", "*.pyi", "*.a"))
    bundled = source.parent / f"{name}.libs"
    if bundled.is_dir():
        shutil.copytree(bundled, target / f"{name}.libs")


_LDD = re.compile(r"(?:=>\s*)?(/\S+)\s+\(0x")


def _copy_libraries(root: Path, objects: Iterable[Path]) -> None:
    """Every shared library that the objects need, from where the host's loader finds it."""
    wanted: dict[str, Path] = {}
    for item in objects:
        listed = subprocess.run(["ldd", str(item)], capture_output=True, text=True, check=False).stdout
        for match in _LDD.finditer(listed):
            path = Path(match[1])
            if not path.is_relative_to(root):
                wanted.setdefault(path.name, path)
    if not wanted:
        raise BuildError("ldd names no library of the interpreter", hint="is glibc's ldd on the PATH?")
    for name, path in wanted.items():
        shutil.copy2(os.path.realpath(path), root / "usr/lib" / name)
