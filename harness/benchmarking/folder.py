"""An evaluation's folder: what was asked, and the ledger of what was answered.

It is laid out as a study with one run (`study.json`, `main/seed-<n>/ledger.jsonl`), so that everything
that reads studies reads evaluations too. `study.json` says what is asked and may be widened by a resume;
the ledger says what there is.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.contract.errors import UNPARSABLE, HarnessError, LedgerError
from harness.contract.protocols import RunInfo
from harness.contract.records import builtins, convert
from harness.support.numbered import next_folder

KIND: Final = "evaluation"
ARM: Final = "main"
STUDY_FILE: Final = "study.json"
LEDGER_FILE: Final = "ledger.jsonl"


class NotAnEvaluation(LedgerError):
    """The folder is a training study's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an evaluation asks for: all that is needed to go on with it."""

    #: The folder's stem and the name it goes by.
    name: str
    #: Folder, Hub id or served name of the model.
    model: str
    #: Loader with its options; empty for engines that hold no weights of ours.
    loader: dict[str, Any] = field(default_factory=dict)
    #: Engine with its options, `name` among them; empty for imported answers.
    engine: dict[str, Any] = field(default_factory=dict)
    #: Benchmarks in order, with their options.
    benchmarks: dict[str, dict[str, Any]]
    #: Names that stand in for a benchmark's in the profile's tables, nearest first; none for most.
    families: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: The profile as it was, so that a new version of it changes nothing here.
    profile: dict[str, Any]
    #: Samples per problem, if that is not the profile's number.
    samples: int | None = None
    #: First problems only.
    limit: int | None = None
    seed: int = 0
    #: Keep token ids in the ledger.
    token_ids: bool = False
    #: Estimator with its options, `name` among them, that picks the problems; empty if all are asked.
    adaptive: dict[str, Any] = field(default_factory=dict)
    #: Folder that relative paths start from.
    base: str = "."
    blocked: tuple[str, ...] = ()

    def family(self, benchmark: str) -> tuple[str, ...]:
        """Names that stand in for a benchmark's in the profile's tables."""
        return self.families.get(benchmark, ())


@dataclass(frozen=True, slots=True)
class EvaluationFolder:
    """A folder with what it was asked for."""

    folder: Path
    asked: Asked

    @property
    def info(self) -> RunInfo:
        run = self.folder / ARM / f"seed-{self.asked.seed}"
        return RunInfo(run, self.asked.name, ARM, self.asked.seed)

    @property
    def ledger(self) -> Path:
        return self.info.folder / LEDGER_FILE

    def ask(self, asked: Asked) -> EvaluationFolder:
        """Widen what is asked for, durably; the ledger stays as it is."""
        made = EvaluationFolder(self.folder, asked)
        made.write()
        return made

    def write(self) -> None:
        """Write `study.json`, durably."""
        fields = {"kind": KIND, "recipe": self.asked.name, "runs": [[ARM, self.asked.seed]]}
        content = msgspec.json.format(msgspec.json.encode({**fields, "asked": builtins(self.asked)}))
        scratch = self.folder / f"{STUDY_FILE}.new"
        with scratch.open("wb") as file:
            file.write(content + b"\n")
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self.folder / STUDY_FILE)


def slug(*words: str) -> str:
    """Words as a folder's name."""
    parts = [re.sub(r"[^A-Za-z0-9._]+", "-", word).strip("-.") for word in words]
    return "-".join(part for part in parts if part)[:80] or KIND


def create(asked: Asked, root: Path) -> EvaluationFolder:
    """Make `<root>/<name>-<n>`; raises RecipeError if `root` cannot hold it."""
    made = EvaluationFolder(next_folder(root, asked.name), asked)
    made.info.folder.mkdir(parents=True)
    made.write()
    return made


def open_folder(folder: Path) -> EvaluationFolder:
    """Open an evaluation's folder; raises LedgerError if it is none."""
    path = folder / STUDY_FILE
    try:
        values = msgspec.json.decode(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise LedgerError(
            "is not the folder of an evaluation", where=str(folder), hint="harness runs"
        ) from None
    except UNPARSABLE as error:
        raise LedgerError(f"cannot be read: {error}", where=str(path)) from None
    if not isinstance(values, dict) or values.get("kind") != KIND:
        raise NotAnEvaluation(
            "is a training study, not an evaluation", where=str(folder), hint=f"harness show {folder}"
        )
    return EvaluationFolder(folder, convert(values.get("asked"), Asked, where=str(path)))


def is_evaluation(folder: Path) -> bool:
    """Whether a folder is that of an evaluation."""
    try:
        open_folder(folder)
    except HarnessError:  # a study, or nothing that can be read
        return False
    return True
