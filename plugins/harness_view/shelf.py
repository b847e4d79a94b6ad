"""What there is to look at: studies, evaluations and their runs, by names that addresses hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from harness.benchmarking import is_evaluation
from harness.contract import DataError, near
from harness.readout import recipe_of, run_folders, studies


@dataclass(frozen=True, slots=True)
class Place:
    """A run: `study/arm/seed` in addresses."""

    study: str
    arm: str
    seed: int
    folder: Path
    #: The study's folder.
    home: Path
    evaluation: bool

    @property
    def name(self) -> str:
        return f"{self.study}/{self.arm}/{self.seed}"

    @property
    def words(self) -> str:
        """What pages call it."""
        return self.study if self.evaluation else f"{self.study}, {self.arm}, seed {self.seed}"

    @property
    def path(self) -> str:
        """The name as part of an address."""
        return quote(self.name)

    @property
    def begun(self) -> bool:
        return (self.folder / "ledger.jsonl").is_file()


class Shelf:
    """Studies and boards.

    Args:
        root: folder of studies and evaluations, or one of them.
        boards: folder of boards; None if there is none.
    """

    def __init__(self, root: Path, boards: Path | None = None) -> None:
        self.root = root.resolve()
        self.boards = None if boards is None else boards.resolve()

    def check(self) -> None:
        """Raise DataError if there is neither a folder of studies nor one of boards."""
        if not self.root.is_dir() and self.boards is None:
            raise DataError(
                "no such folder", where=str(self.root), hint="name that of your runs: harness view FOLDER"
            )

    def studies(self) -> dict[str, Path]:
        """Folders of studies and evaluations by name, newest first."""
        if self._alone():
            return {self.root.name: self.root}
        return {path.name: path for path in reversed(list(studies(self.root)))}

    def study(self, name: str) -> Path:
        """The folder of a study; raises DataError if there is none."""
        known = self.studies()
        if name not in known:
            raise DataError(f"there is no study {name!r}", where=str(self.root), allowed=near(name, known))
        return known[name]

    def runs(self, study: str) -> list[Place]:
        """The runs of a study, planned ones included."""
        home = self.study(study)
        alone = is_evaluation(home)
        return [Place(study, arm, seed, folder, home, alone) for arm, seed, folder in run_folders(home)]

    def run(self, name: str) -> Place:
        """A run by `study/arm/seed`; raises DataError if there is none."""
        study, _, rest = name.partition("/")
        runs = {place.name: place for place in self.runs(study)}
        if name not in runs:
            raise DataError(f"there is no run {rest!r}", where=study, allowed=near(name, runs))
        return runs[name]

    def about(self, study: Path) -> str:
        """What a study says that it is."""
        return str(recipe_of(study).get("about", ""))

    def _alone(self) -> bool:
        return (self.root / "study.json").is_file() or bool(self.root.is_dir() and run_folders(self.root))
