"""Running all arms and seeds of a recipe, each as a process of its own.

A study is a folder: what was asked (`study.json`, a copy of the recipe) and one run folder for each
arm and seed. Runs share nothing, so they go side by side, one that fails leaves the others alone,
and a study that was killed goes on where its ledgers end. A run's process ends with its parent.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any, Final

import msgspec

from harness.errors import HarnessError, LedgerError, RecipeError
from harness.plan import Plan, make_plans
from harness.plugins import Plugins
from harness.protocols import ReportContext, Reported, RunInfo
from harness.recipe import RecipeFile

STUDY_FILE: Final = "study.json"
RECIPE_COPY: Final = "recipe.toml"
LOG_FILE: Final = "log.txt"


@dataclass(frozen=True, slots=True)
class Study:
    """A study's folder and what it consists of."""

    folder: Path
    recipe: str
    recipe_path: Path
    recipe_sha: str
    overrides: tuple[str, ...]
    #: (arm, seed) of each run, in the recipe's order.
    runs: tuple[tuple[str, int], ...]
    blocked: tuple[str, ...] = ()

    def run_folder(self, arm: str, seed: int) -> Path:
        return self.folder / arm / f"seed-{seed}"

    def infos(self) -> list[RunInfo]:
        return [RunInfo(self.run_folder(arm, seed), self.recipe, arm, seed) for arm, seed in self.runs]


def create(
    file: RecipeFile, plans: Sequence[Plan], root: Path, overrides: Iterable[str], blocked: Iterable[str]
) -> Study:
    """Make the folder of a new study, `<root>/<recipe>-<n>`."""
    root.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = root / f"{file.recipe.name}-{number}"
        try:
            folder.mkdir()
            break
        except FileExistsError:
            number += 1
    study = Study(
        folder,
        file.recipe.name,
        file.path.resolve(),
        file.sha,
        tuple(overrides),
        tuple((plan.arm.name, plan.seed) for plan in plans),
        tuple(blocked),
    )
    shutil.copyfile(file.path, folder / RECIPE_COPY)
    fields = {
        "recipe": study.recipe,
        "recipe_path": str(study.recipe_path),
        "recipe_sha": study.recipe_sha,
        "overrides": study.overrides,
        "runs": study.runs,
        "blocked": study.blocked,
    }
    (folder / STUDY_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(fields)))
    return study


def open_study(folder: Path) -> Study:
    """Read a study's folder; raises LedgerError when it is none."""
    path = folder / STUDY_FILE
    try:
        values: dict[str, Any] = msgspec.json.decode(path.read_bytes())
        if values.get("kind") == "evaluation":
            raise LedgerError(
                "is an evaluation, not a training study",
                where=str(folder),
                hint=f"harness eval --resume {folder}",
            )
        runs = tuple((str(arm), int(seed)) for arm, seed in values["runs"])
        return Study(
            folder,
            values["recipe"],
            Path(values["recipe_path"]),
            values["recipe_sha"],
            tuple(values["overrides"]),
            runs,
            tuple(values["blocked"]),
        )
    except FileNotFoundError:
        raise LedgerError("is not the folder of a run", where=str(folder), hint="harness runs") from None
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise LedgerError(f"cannot be read: {error}", where=str(path)) from None


@contextmanager
def as_it_was(study: Study) -> Iterator[None]:
    """Name the study's copy of its recipe in errors of a recipe that was moved or changed since."""
    try:
        yield
    except RecipeError as error:
        copy = study.folder / RECIPE_COPY
        if not copy.is_file() or _alike(copy, study.recipe_path):
            raise
        way_out = f"{error.hint}; " if error.hint else ""
        raise type(error)(
            error.what,
            where=error.where,
            allowed=error.allowed,
            hint=f"{way_out}the recipe as it was: cp {quote(str(copy))} {quote(str(study.recipe_path))}",
        ) from None


def _alike(one: Path, other: Path) -> bool:
    """Whether both are there and hold the same."""
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


@dataclass(slots=True)
class Child:
    """One run's process."""

    info: RunInfo
    process: subprocess.Popen[bytes] | None = None
    code: int | None = None
    #: The end of what it wrote to its log.
    message: str = ""


@dataclass(slots=True)
class Outcome:
    """What became of a study's runs."""

    children: list[Child] = field(default_factory=list)

    @property
    def failed(self) -> list[Child]:
        return [child for child in self.children if child.code != 0]


def run_all(study: Study, *, jobs: int, watch: Callable[[Sequence[Child]], None]) -> Outcome:
    """Run what is not finished, `jobs` at a time; `watch` is called a few times a second.

    Interrupting ends the children, whose ledgers hold what they had done.
    """
    children = [Child(info) for info in study.infos()]
    waiting = list(children)
    try:
        while True:
            running = [c for c in children if c.process is not None and c.code is None]
            for child in running:
                assert child.process is not None
                child.code = child.process.poll()
                if child.code is not None:
                    child.message = _tail(child.info.folder / LOG_FILE)
            running = [c for c in running if c.code is None]
            while waiting and len(running) < jobs:
                child = waiting.pop(0)
                child.process = _start(study, child.info)
                running.append(child)
            watch(children)
            if not running and not waiting:
                return Outcome(children)
            time.sleep(0.2)
    finally:
        for child in children:
            if child.process is not None and child.process.poll() is None:
                child.process.kill()
                child.process.wait()


def _start(study: Study, info: RunInfo) -> subprocess.Popen[bytes]:
    info.folder.mkdir(parents=True, exist_ok=True)
    blocked = [part for name in study.blocked for part in ("--no-plugin", name)]
    with (info.folder / LOG_FILE).open("ab") as log:
        return subprocess.Popen(
            [
                sys.executable,
                "-m",
                "harness",
                *blocked,
                "run-arm",
                str(study.folder),
                info.arm,
                str(info.seed),
            ],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def end_with_parent() -> None:
    """End this process when its standard input closes, which is when its parent is gone."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os._exit(130)

    threading.Thread(target=wait, daemon=True).start()


def plan_of(study: Study, plugins: Plugins, arm: str, seed: int, load: Callable[..., RecipeFile]) -> Plan:
    """The plan of one of a study's runs; raises when the recipe is not what it was."""
    file = load(study.recipe_path, study.overrides)
    for plan in make_plans(file, plugins, arms=[arm]):
        if plan.seed == seed:
            return plan
    raise RecipeError(f"there is no seed {seed} of arm {arm!r} any more", where=str(study.recipe_path))


def report(study: Study, plan: Plan) -> Reported:
    """Let the recipe's reporters write. One that fails does not stop the others; what several say is told
    once.

    Raises:
        HarnessError: the first failure, after all reporters had their turn.
    """
    boards = plan.recipe.report.leaderboards
    context = ReportContext(
        study.folder, study.infos(), None if boards is None else (plan.base / boards).resolve()
    )
    files: list[Path] = []
    lines: list[str] = []
    failure: HarnessError | None = None
    for i, use in enumerate(plan.file.recipe.report.reporters):
        try:
            reported = plan.build("reporters", use, f"report.reporters.{i}").report(context)
            files += reported.files
            lines += reported.lines
        except HarnessError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return Reported(files, list(dict.fromkeys(lines)))


def _tail(path: Path, size: int = 4000) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace").strip()
