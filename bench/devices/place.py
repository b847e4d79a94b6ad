"""Where checks run, how much they do, and the rows that they give."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch

from harness.contract import ModelFiles, Task
from harness.plugging.plugins import Plugins
from harness.testing.workbench import Workbench, context

PACKAGED, SMOLLM = "chain-334k", "HuggingFaceTB/SmolLM2-135M-Instruct"

Verdict = Literal["ok", "fails", "measured", "skipped"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    check: str
    what: str
    #: On the device, and what it is compared with; with units.
    device: str = ""
    beside: str = ""
    #: `measured` has no bound; `skipped` says in `device` what is missing.
    verdict: Verdict = "measured"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is done; a CPU is given less."""

    settings: tuple[str, ...]
    #: Distinct prompts that are decoded together.
    prompts: int
    #: Tasks and completions per task of a step, and steps after the first.
    tasks: int
    samples: int
    steps: int
    #: Longest completion of a model that is not the packaged one, in tokens.
    max_tokens: int


LARGE: Final = Size(
    ("KL 0.05 and entropy 0.01", "two updates per step, clip 0.02"),
    64,
    tasks=8,
    samples=8,
    steps=4,
    max_tokens=256,
)
SMALL: Final = Size(("KL 0.05 and entropy 0.01",), 8, tasks=4, samples=4, steps=1, max_tokens=16)


@dataclass(frozen=True, slots=True)
class Place:
    """Where and on what checks run."""

    device: Literal["cpu", "cuda"]
    folder: Path
    plugins: Plugins
    size: Size
    #: Folder or hub id of the model whose speed is measured; empty for the packaged one.
    model: str = ""

    def resources(self, precision: str, device: str = "") -> dict[str, Any]:
        return {"device": device or self.device, "precision": precision, "threads": 1}

    def bench(self, name: str) -> Workbench:
        """A workbench in a folder of its own."""
        return Workbench(self.folder / name, self.plugins)

    def files(self) -> ModelFiles:
        """The model whose speed is measured."""
        made = context(self.plugins, self.folder / "cache", base=Path.cwd())
        if self.model:
            opened: ModelFiles = made.build("models", "folder", {"offline": True}, model=self.model).load()
            return opened
        packaged: ModelFiles = made.build("models", "packaged", {}, model=PACKAGED).load()
        return packaged

    @property
    def max_tokens(self) -> int:
        """Longest completion, in tokens."""
        return self.size.max_tokens if self.model else 24

    @property
    def prompt(self) -> str:
        return "chat" if self.model else "raw"

    def sync(self) -> None:
        """Wait until the device has done what it was given."""
        if self.device == "cuda":
            torch.cuda.synchronize()


def verdict(good: bool) -> Verdict:
    return "ok" if good else "fails"


def tasks(place: Place, number: int) -> list[Task]:
    """Tasks with prompts of several lengths, no two alike."""
    source = place.bench("tasks").build("task_sources", {"name": "arithmetic-chain", "strata": "9-16"})
    subjects = source.subjects()
    return [source.draw(subjects[i % len(subjects)], i) for i in range(number)]
