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
    from harness.testing.benchmark import BenchmarkConformance
    from harness.testing.command import CommandConformance
    from harness.testing.curriculum import CurriculumConformance
    from harness.testing.engine import EngineConformance
    from harness.testing.estimator import EstimatorConformance
    from harness.testing.gate import GateConformance
    from harness.testing.groups import all_sorts, group_of, group_with
    from harness.testing.killing import run_killed, run_recipe
    from harness.testing.launcher import LauncherConformance
    from harness.testing.loss import LossConformance
    from harness.testing.metric import MetricConformance
    from harness.testing.model import ModelConformance
    from harness.testing.pools import MemoryPool
    from harness.testing.profile import ProfileConformance
    from harness.testing.reporter import ReporterConformance
    from harness.testing.reward import RewardConformance
    from harness.testing.sandbox import SandboxConformance
    from harness.testing.session import Call, ContractBroken, Crash, RecordingSession
    from harness.testing.shaper import ShaperConformance
    from harness.testing.small_study import small_study
    from harness.testing.task_filter import TaskFilterConformance
    from harness.testing.task_source import TaskSourceConformance
    from harness.testing.tracker import TrackerConformance
    from harness.testing.trainer import TrainerConformance
    from harness.testing.verifier import VerifierCase, VerifierConformance
    from harness.testing.workbench import Recorded, Workbench

__all__ = [
    "BenchmarkConformance",
    "Call",
    "CommandConformance",
    "ContractBroken",
    "Crash",
    "CurriculumConformance",
    "EngineConformance",
    "EstimatorConformance",
    "GateConformance",
    "LauncherConformance",
    "LossConformance",
    "MemoryPool",
    "MetricConformance",
    "ModelConformance",
    "ProfileConformance",
    "Recorded",
    "RecordingSession",
    "ReporterConformance",
    "RewardConformance",
    "SandboxConformance",
    "ShaperConformance",
    "TaskFilterConformance",
    "TaskSourceConformance",
    "TrackerConformance",
    "TrainerConformance",
    "VerifierCase",
    "VerifierConformance",
    "Workbench",
    "all_sorts",
    "group_of",
    "group_with",
    "run_killed",
    "run_recipe",
    "small_study",
]

_MODULES = {
    "benchmark": ("BenchmarkConformance",),
    "command": ("CommandConformance",),
    "curriculum": ("CurriculumConformance",),
    "engine": ("EngineConformance",),
    "estimator": ("EstimatorConformance",),
    "gate": ("GateConformance",),
    "groups": ("all_sorts", "group_of", "group_with"),
    "killing": ("run_killed", "run_recipe"),
    "launcher": ("LauncherConformance",),
    "loss": ("LossConformance",),
    "metric": ("MetricConformance",),
    "model": ("ModelConformance",),
    "pools": ("MemoryPool",),
    "profile": ("ProfileConformance",),
    "reporter": ("ReporterConformance",),
    "reward": ("RewardConformance",),
    "sandbox": ("SandboxConformance",),
    "session": ("Call", "ContractBroken", "Crash", "RecordingSession"),
    "shaper": ("ShaperConformance",),
    "small_study": ("small_study",),
    "task_filter": ("TaskFilterConformance",),
    "task_source": ("TaskSourceConformance",),
    "tracker": ("TrackerConformance",),
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
