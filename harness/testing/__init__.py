"""Conformance suites: what every plugin of a kind must do, as test classes to subclass.

    from harness.testing import CurriculumConformance

    class TestMine(CurriculumConformance):
        name = "staged-harness-mine/mine"

The suites find plugins as a recipe does, through the registry, so they test what is installed. They
come with pytest fixtures (`harness.testing.plugin`), which an installed harness brings by itself.
Names are imported on first use: the fixtures are loaded in every pytest run of an environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.testing.curriculum import CurriculumConformance
    from harness.testing.engine import EngineConformance
    from harness.testing.estimator import EstimatorConformance
    from harness.testing.pools import MemoryPool, group_of
    from harness.testing.session import Call, ContractBroken, Crash, RecordingSession
    from harness.testing.task_source import TaskSourceConformance
    from harness.testing.trainer import TrainerConformance
    from harness.testing.verifier import VerifierCase, VerifierConformance
    from harness.testing.workbench import Recorded, Workbench

__all__ = [
    "Call",
    "ContractBroken",
    "Crash",
    "CurriculumConformance",
    "EngineConformance",
    "EstimatorConformance",
    "MemoryPool",
    "Recorded",
    "RecordingSession",
    "TaskSourceConformance",
    "TrainerConformance",
    "VerifierCase",
    "VerifierConformance",
    "Workbench",
    "group_of",
]

_MODULES = {
    "curriculum": ("CurriculumConformance",),
    "engine": ("EngineConformance",),
    "estimator": ("EstimatorConformance",),
    "pools": ("MemoryPool", "group_of"),
    "session": ("Call", "ContractBroken", "Crash", "RecordingSession"),
    "task_source": ("TaskSourceConformance",),
    "trainer": ("TrainerConformance",),
    "verifier": ("VerifierCase", "VerifierConformance"),
    "workbench": ("Recorded", "Workbench"),
}


def __getattr__(name: str) -> Any:
    import importlib

    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"harness.testing.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
