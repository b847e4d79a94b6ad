"""Running all arms and seeds of a recipe, each started by the recipe's launcher.

A study is a folder: what was asked (`study.json`, a copy of the recipe) and one run folder for each
arm and seed. Runs share nothing, so they go side by side, one that fails leaves the others alone,
and a study that was killed goes on where its ledgers end.
"""

from __future__ import annotations

import os
import shutil
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

from harness.contract.errors import UNPARSABLE, HarnessError, LedgerError, RecipeError
from harness.contract.launching import Launch, LaunchedRun, Launcher, RunState
from harness.contract.protocols import ReportContext, Reported, RunInfo
from harness.planning.plan import Plan, make_plans
from harness.plugging.plugins import Plugins
from harness.recipe import RecipeFile
from harness.running.launching import is_finished
from harness.support.numbered import next_folder

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
    folder = next_folder(root, file.recipe.name)
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
    """Read a study's folder; raises LedgerError if it is none."""
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
    except (FileNotFoundError, NotADirectoryError):
        raise LedgerError("is not the folder of a run", where=str(folder), hint="harness runs") from None
    except (KeyError, TypeError, *UNPARSABLE) as error:
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
    """One of a study's runs as it goes on."""

    info: RunInfo
    run: LaunchedRun | None = None
    state: RunState = field(default_factory=RunState)
    #: The end of what it wrote to its log, and why it ended if its launcher knows more.
    message: str = ""

    @property
    def code(self) -> int | None:
        return self.state.code


@dataclass(slots=True)
class Outcome:
    """What became of a study's runs."""

    children: list[Child] = field(default_factory=list)

    @property
    def failed(self) -> list[Child]:
        return [child for child in self.children if child.code != 0]


def run_all(
    study: Study, launcher: Launcher, *, jobs: int, watch: Callable[[Sequence[Child]], None]
) -> Outcome:
    """Run what is not finished, `jobs` at a time; `watch` is called a few times per second.

    Interrupting ends the runs, whose ledgers hold what they had done.
    """
    children = [Child(info) for info in study.infos()]
    waiting = list(children)
    try:
        while True:
            for child in children:
                if child.run is not None and child.code is None:
                    child.state = child.run.poll()
                    if child.code:
                        child.message = _why(child)
            running = [c for c in children if c.run is not None and c.code is None]
            while waiting and len(running) < jobs:
                child = waiting.pop(0)
                child.run = launcher.start(_launch(study, child.info))
                running.append(child)
            watch(children)
            if not running and not waiting:
                return Outcome(children)
            time.sleep(0.2)
    except BaseException as stop:
        for child in children:
            if child.run is not None and child.code is None:
                child.run.leave(interrupted=isinstance(stop, KeyboardInterrupt))
        raise


def _launch(study: Study, info: RunInfo) -> Launch:
    info.folder.mkdir(parents=True, exist_ok=True)
    blocked = [part for name in study.blocked for part in ("--no-plugin", name)]
    arm = ("run-arm", str(study.folder), info.arm, str(info.seed))
    command = (sys.executable, "-m", "harness", *blocked, *arm)
    return Launch(info, command, info.folder / LOG_FILE, is_finished(info.folder))


def _why(child: Child) -> str:
    """Why a run failed, in its launcher's words and its own."""
    log = child.info.folder / LOG_FILE
    said = _tail(log) if log.is_file() else ""
    if shutil.disk_usage(child.info.folder).free == 0:
        # Its log, too, takes nothing more.
        said += f"\nthe disk of {child.info.folder} is full"
    return "\n".join(part for part in (child.state.about, said) if part)


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


def report(study: Study, plan: Plan, steps: Sequence[int] = ()) -> Reported:
    """Let the recipe's reporters write. One that fails does not stop the others; what several say is told
    once.

    Args:
        steps: whose samples somebody asked to see; without any the reporters choose.

    Raises:
        HarnessError: the first failure, after all reporters had their turn.
    """
    boards = plan.recipe.report.leaderboards
    context = ReportContext(
        study.folder, study.infos(), None if boards is None else (plan.base / boards).resolve(), steps
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
