"""Rows of a benchmark or data set, from the local folder or from the Hub, with where they came from.

The Hub's rows are fetched by a process of their own (`fetch`), which leaves a jsonl file in the cache:
the driver never holds the libraries that read parquet, and a second start needs no network. Whatever
the source, rows that do not fit are named as file, line and field.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from harness_tasks.rows import MAX_FAULTS, RowFault, no_rows

from harness.contract import UNPARSABLE, BuildContext, DataError, PluginError, Task, digest
from harness.plugging import missing_requirements
from harness_benchmarks.options import Where
from harness_benchmarks.readers import Reader

log = logging.getLogger(__name__)

#: Part of the names of fetched rows: another one when they would be written otherwise.
FORM: Final = "as-written"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Place:
    """A split of a data set on the Hub, or one of its files as it is."""

    repo: str
    split: str
    config: str | None = None
    revision: str | None = None
    gated: bool = False
    #: Path of a jsonl file in the repository, if its rows are not read as a data set's.
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A file of rows and what is to be recorded of it."""

    path: Path
    #: `local` or `hub`, the repository and the commit.
    origin: dict[str, Any]


def locate(file: str | None, place: Place, where: Where, context: BuildContext, name: str) -> Found:
    """The rows' file: in the data folder, or fetched from the Hub into the cache.

    Raises:
        DataError: neither has it; says what to do, for gated data too.
    """
    local = None if file is None or context.data is None else context.data / file
    if where != "hub" and local is not None and local.is_file():
        return Found(local, {"source": "local", "file": file})
    if where == "local":
        if file is None:
            raise DataError("no local copy of it may exist", where=name, hint="set source = 'hub'")
        raise DataError(
            "HARNESS_DATA is not set" if local is None else f"there is no file {str(local)!r}",
            where=name,
            hint=f"export HARNESS_DATA=<folder with {file}>, or load it from the Hub",
        )
    return fetched(place, context.cache, name)


def fetched(place: Place, cache: Path, name: str) -> Found:
    """The cached rows of a split, fetched if need be.

    Raises:
        DataError: the Hub does not give it.
        PluginError: the extra `hub` is not installed.
    """
    folder = cache / "datasets" / place.repo.replace("/", "--")
    stem = (
        place.file.removesuffix(".jsonl")
        if place.file
        else "-".join(filter(None, (place.config, place.split, FORM)))
    )
    pinned = place.revision if place.revision and _COMMIT.fullmatch(place.revision) else None
    note = folder / f"{stem}@{place.revision or 'unpinned'}.json"
    if pinned is None and note.is_file():
        pinned = json.loads(note.read_text())["commit"]
    if pinned is None or not (folder / f"{stem}@{pinned}.jsonl").is_file():
        commit = _fetch(place, folder, stem, pinned, name)
        if pinned is None:
            log.warning(
                "%s: %s names no commit; %s is used and recorded. Pin it: revision=%s",
                name, place.repo if place.revision is None else f"revision {place.revision!r}",
                commit[:12], commit,
            )  # fmt: skip
            scratch = note.with_name(f"{note.name}.{os.getpid()}")
            scratch.write_text(json.dumps({"repo": place.repo, "commit": commit}))
            scratch.replace(note)
        pinned = commit
    origin = {"source": "hub", "repo": place.repo, "revision": pinned, "split": place.split}
    if place.config:
        origin["config"] = place.config
    return Found(folder / f"{stem}@{pinned}.jsonl", origin)


def _fetch(place: Place, folder: Path, stem: str, commit: str | None, name: str) -> str:
    missing = missing_requirements("staged-harness", "hub")
    if missing:
        raise PluginError(
            f"loading from the Hub needs {', '.join(missing)}, which is not installed", where=name,
            hint="pip install 'staged-harness[hub]', or set HARNESS_DATA",
        )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    asked = {
        "repo": place.repo, "config": place.config, "split": place.split,
        "revision": commit or place.revision, "folder": str(folder), "stem": stem, "file": place.file,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "harness_benchmarks.fetch", json.dumps(asked)],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )  # fmt: skip
    lines = done.stdout.strip().splitlines()
    answer = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    if "commit" in answer:
        return str(answer["commit"])
    kind = answer.get("kind", "")
    where = f"{name} ({place.repo})"
    if kind == "gated" or (place.gated and kind == "denied"):
        raise DataError(
            "the data set is gated: its owner gives access to those who ask",
            where=where,
            hint=f"ask at https://huggingface.co/datasets/{place.repo}, then set HF_TOKEN",
        )
    message = answer.get("message") or (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    hints = {
        "revision": "name a commit that the repository has",
        "absent": "check the repository's name, config and split",
        "denied": "set HF_TOKEN, or check the repository's name",
    }
    raise DataError(
        f"{endpoint} does not give it: {message}", where=where,
        hint=hints.get(kind, "check the network and HF_ENDPOINT, or set HARNESS_DATA to a folder with it"),
    )  # fmt: skip


def read_tasks(
    located: Found, read: Reader, seed: int = 0, limit: int | None = None, lines: dict[str, int] | None = None
) -> list[Task]:
    """The tasks of a file; `lines` takes their line numbers by id.

    Raises:
        DataError: rows do not fit, or two have one id; up to 10 are named as file:line:field. Or there is
            no row at all.
    """
    tasks: list[Task] = []
    lines = {} if lines is None else lines
    faults: list[str] = []
    number = 0
    for position, (number, row) in enumerate(_rows(located.path, faults)):
        if limit is not None and len(tasks) >= limit:
            break
        try:
            task = read(row, position, seed)
        except RowFault as fault:
            faults.append(f"{located.path}:{number}:{fault.field}: {fault.what}")
            continue
        if task is None:
            continue
        if task.id in lines:
            faults.append(f"{located.path}:{number}: id {task.id!r} is already on line {lines[task.id]}")
        lines[task.id] = number
        tasks.append(task)
    if faults:
        more = f"\nand {len(faults) - MAX_FAULTS} rows more" if len(faults) > MAX_FAULTS else ""
        raise DataError("\n".join(faults[:MAX_FAULTS]) + more)
    if not number:
        raise no_rows(located.path)
    return tasks


def fingerprint(tasks: list[Task]) -> str:
    """Hash (16 hex digits) of what is asked and what is right, in order."""
    return digest([[task.id, task.content_hash] for task in tasks])


def _rows(path: Path, faults: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    decoder = msgspec.json.Decoder()
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = decoder.decode(line)
            except UNPARSABLE as error:
                faults.append(f"{path}:{number}: is not JSON: {error}")
                continue
            if isinstance(row, dict):
                yield number, row
            else:
                faults.append(f"{path}:{number}: is not an object but {type(row).__name__}")
