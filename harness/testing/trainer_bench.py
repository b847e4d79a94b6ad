"""What a trainer is tried with: a recipe of small stages, a workbench, and readings of its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.contract.capabilities import TrainerCapabilities
from harness.contract.records import StepMetrics, Task, builtins
from harness.contract.samples import Group
from harness.plugging.plugins import Plugins
from harness.testing.workbench import Recorded, Workbench

#: Fields of a step's metrics that may differ between two runs of the same numbers.
TIMINGS = ("cpu_seconds", "seconds", "extra")


class TrainerBench:
    """What a trainer is tried with, and how its record is read."""

    trainer: ClassVar[Mapping[str, Any]]
    model: ClassVar[Mapping[str, Any]]
    tasks: ClassVar[Sequence[Mapping[str, Any]]]
    heldout: ClassVar[Sequence[Mapping[str, Any]]]
    n: ClassVar[int] = 8
    batch: ClassVar[int] = 4
    max_tokens: ClassVar[int] = 16
    lr: ClassVar[float] = 1e-3
    #: Two tags or domains that the tasks have; without them mixtures are not tried.
    mixture: ClassVar[Sequence[str]] = ()

    # What a subclass may replace ------------------------------------------------------------------

    def recipe(self, *stages: Mapping[str, Any], **tables: Any) -> dict[str, Any]:
        """A recipe of some stages; each is laid on a plain one of kind rl."""
        plain = {
            "curriculum": "uniform",
            "rollout": {"n": self.n, "batch": self.batch, "max_tokens": self.max_tokens},
            "optimizer": {"lr": self.lr},
            "max_steps": 3,
        }
        return {
            "name": "conformance",
            "model": dict(self.model),
            "trainer": dict(self.trainer),
            "tasks": {"train": [dict(use) for use in self.tasks]},
            "evaluation": {
                "each_stage": False,
                "heldout": [
                    {
                        "tasks": [dict(use) for use in self.heldout],
                        "per_stratum": 2,
                        "max_tokens": self.max_tokens,
                    }
                ],
            },
            "checkpoints": {"every_steps": 1000, "keep": 100, "min_free_gb": 0.05},
            "report": {"reporters": []},
            "stages": [{"name": f"stage{i}", **plain, **stage} for i, stage in enumerate(stages, 1)],
        } | tables

    @pytest.fixture
    def bench(self, harness_plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
        return Workbench(tmp_path, harness_plugins)

    @pytest.fixture
    def able(self, harness_plugins: Plugins) -> TrainerCapabilities:
        """The capabilities that the trainer declares."""
        return harness_plugins.registry.find("trainers", str(self.trainer["name"])).able(TrainerCapabilities)

    @staticmethod
    def gated(able: TrainerCapabilities) -> dict[str, Any]:
        """Fields of a stage that is to learn something at each step, as far as the trainer can tell."""
        return {"gates": [{"name": "mixed-outcomes", "max_refills": 50}]} if able.dynamic_sampling else {}

    @staticmethod
    def numbers(metrics: Sequence[StepMetrics]) -> list[dict[str, Any]]:
        """Metrics without what the clock says."""
        return [{k: v for k, v in builtins(m).items() if k not in TIMINGS} for m in metrics]

    @staticmethod
    def groups(record: Recorded, stage: str) -> list[Group]:
        """The groups of a stage that reached the trainer's updates, in order."""
        submitted = record.of("submit", "submit_outcomes")
        return [group for call in submitted if call.stage == stage for group in call.value]

    @staticmethod
    def tasks_of(record: Recorded, stage: str) -> list[Task]:
        """The tasks that a stage was given, in order."""
        return [task for call in record.of("next_tasks") if call.stage == stage for task in call.value]
