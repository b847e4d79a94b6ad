"""Every kind of plugin on one page: a row per kind, and nothing about a kind anywhere else.

From this table come the registration hooks and their documentation (`hookspecs`), the check of
capabilities when a plugin is loaded, the check of built objects by `harness plugins doctor` and
`harness plan`, the pages hooks.md and conformance.md and the list of suites. Loading plugins is part of
`harness --help`, so the rows name classes by strings and import nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from harness.contract.errors import PluginError, near

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

    from harness.contract.capabilities import Capabilities

PROTOCOLS: Final = "harness.contract.protocols"
#: Key of a JSON schema that says which kind of plugin a field names.
KIND_KEY: Final = "x-plugin-kind"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of plugin. `kind("sandboxes")` marks an option that names a plugin of that kind:
    `sandbox: Annotated[Plugin, kind("sandboxes")]`."""

    #: Plural, as in the hook `register_<name>`.
    name: str
    #: What such a plugin does, in one sentence that begins with "Offer".
    summary: str
    #: Class of `harness.contract.protocols` that its objects satisfy; `module:Class` elsewhere.
    protocol: str
    #: Where their options are given; empty if the registered object is used as it is and takes none.
    options: str
    #: Class of `harness.contract.capabilities`.
    capabilities: str = "Capabilities"
    #: Class of `harness.contract.optional` that declares what an object may have besides; "" for nothing.
    optional: str = ""
    #: Class of `harness.testing` to subclass in tests.
    suite: str = field(kw_only=True)
    #: Whether building one starts no process, loads no model and reads no file but a small one that an option
    #: names, so that `plan` and `doctor` may build it: what is wrong with that file is then told there.
    light: bool = False

    @property
    def hook(self) -> str:
        return f"register_{self.name}"

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """The schema of an option that is marked with the kind, which stands there under `KIND_KEY`."""
        return {**handler(schema), KIND_KEY: self.name}

    def protocol_class(self) -> type[Any]:
        """The protocol."""
        module, _, name = self.protocol.rpartition(":")
        return _attribute(module or PROTOCOLS, name)

    def capabilities_model(self) -> type[Capabilities]:
        """The pydantic model of what a registration may declare."""
        return _attribute("harness.contract.capabilities", self.capabilities)

    def optional_class(self) -> type[Any] | None:
        """The optional members with their defaults, None if there are none."""
        return _attribute("harness.contract.optional", self.optional) if self.optional else None


def _attribute(module: str, name: str) -> type[Any]:
    value: type[Any] = getattr(importlib.import_module(module), name)
    return value


_TABLE: Final = (
    Kind(
        "task_sources",
        "Offer sources of training and held-out tasks",
        "TaskSource",
        "`tasks.train` and `evaluation.heldout.tasks` of a recipe",
        capabilities="TaskSourceCapabilities",
        optional="TaskSourceOptional",
        suite="TaskSourceConformance",
    ),
    Kind(
        "task_filters",
        "Offer filters that drop tasks before training",
        "TaskFilter",
        "`tasks.filters` of a recipe",
        suite="TaskFilterConformance",
    ),
    Kind(
        "models",
        "Offer loaders that turn a model's name into a folder transformers can open",
        "ModelLoader",
        "`model.loader` of a recipe",
        capabilities="ModelCapabilities",
        optional="ModelOptional",
        suite="ModelConformance",
    ),
    Kind(
        "benchmarks",
        "Offer versioned benchmarks",
        "Benchmark",
        "`harness eval --source`",
        capabilities="BenchmarkCapabilities",
        optional="BenchmarkOptional",
        suite="BenchmarkConformance",
    ),
    Kind(
        "profiles",
        "Offer evaluation profiles: prompt, sampling, samples, limits, extraction, verifier",
        "Profile",
        "`harness eval --override`",
        suite="ProfileConformance",
    ),
    Kind(
        "verifiers",
        "Offer verifiers: the one judge of difficulty, reward and benchmark",
        "Verifier",
        "`verifier` and `verifiers` of a recipe, `verifier` of a profile",
        capabilities="VerifierCapabilities",
        optional="VerifierOptional",
        suite="VerifierConformance",
    ),
    Kind(
        "rewards",
        "Offer reductions of a verdict to the number that a trainer learns from",
        "Reward",
        "`stages.reward` of a recipe",
        optional="RewardOptional",
        light=True,
        suite="RewardConformance",
    ),
    Kind(
        "sandboxes",
        "Offer places where a program that a model wrote can run",
        "harness.contract.programs:Sandbox",
        "options of a plugin that runs programs",
        suite="SandboxConformance",
    ),
    Kind(
        "engines",
        "Offer engines that generate completions, or wrap other engines",
        "Engine",
        "`engine` of a recipe, `harness eval --set`",
        capabilities="EngineCapabilities",
        optional="EngineOptional",
        suite="EngineConformance",
    ),
    Kind(
        "difficulty_estimators",
        "Offer ways to measure how hard tasks are for a policy",
        "DifficultyEstimator",
        "`difficulty.estimator` of a recipe",
        optional="EstimatorOptional",
        suite="EstimatorConformance",
        light=True,
    ),
    Kind(
        "curricula",
        "Offer policies that choose the next tasks to train on",
        "Curriculum",
        "`stages.curriculum` of a recipe",
        capabilities="CurriculumCapabilities",
        optional="CurriculumOptional",
        suite="CurriculumConformance",
        light=True,
    ),
    Kind(
        "gates",
        "Offer gates that decide which groups reach the loss",
        "Gate",
        "`stages.gates` of a recipe",
        capabilities="LabelCapabilities",
        optional="GateOptional",
        light=True,
        suite="GateConformance",
    ),
    Kind(
        "shapers",
        "Offer shapers of a group's rewards or advantages",
        "Shaper",
        "`stages.shapers` of a recipe",
        capabilities="ShaperCapabilities",
        optional="ShaperOptional",
        light=True,
        suite="ShaperConformance",
    ),
    Kind(
        "losses",
        "Offer per-token loss terms",
        "LossTerm",
        "`stages.loss.terms` of a recipe",
        optional="LossOptional",
        light=True,
        suite="LossConformance",
    ),
    Kind(
        "metrics",
        "Offer metrics over a benchmark's scored samples",
        "Metric",
        "`harness report --metric NAME --set NAME.OPTION=VALUE`",
        light=True,
        suite="MetricConformance",
    ),
    Kind(
        "trainers",
        "Offer trainer backends",
        "harness.contract.sessions:Trainer",
        "`trainer` of a recipe",
        capabilities="TrainerCapabilities",
        optional="TrainerOptional",
        suite="TrainerConformance",
    ),
    Kind(
        "launchers",
        "Offer ways to start a study's runs and to follow them",
        "harness.contract.launching:Launcher",
        "`launcher` of a recipe",
        suite="LauncherConformance",
    ),
    Kind(
        "trackers",
        "Offer trackers that show a run's metrics elsewhere while it goes on",
        "harness.contract.tracking:Tracker",
        "`report.trackers` of a recipe",
        suite="TrackerConformance",
    ),
    Kind(
        "reporters",
        "Offer reporters that turn a finished run into files or messages",
        "Reporter",
        "`report.reporters` of a recipe",
        suite="ReporterConformance",
    ),
    Kind(
        "commands",
        "Offer subcommands of the `harness` command",
        "click:Command",
        "",
        suite="CommandConformance",
    ),
)  # fmt: skip

#: The rows by name, in the order of a run.
KINDS: Final[Mapping[str, Kind]] = {row.name: row for row in _TABLE}


def kind(name: str) -> Kind:
    """The row of this name.

    Raises:
        PluginError: there is no such kind; names near matches.
    """
    if name not in KINDS:
        raise PluginError(f"no kind of plugin is named {name!r}", allowed=near(name, KINDS))
    return KINDS[name]
