"""The benchmarks of an evaluation as its profile asks them: problems, samples, sampling, verifiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.benchmarking.folder import Asked
from harness.benchmarking.profile import PART, Profile
from harness.errors import DataError
from harness.plugins import Plugins
from harness.protocols import BuildContext
from harness.recipe.stage import Use
from harness.records import Sampling, Task, builtins, digest
from harness.registry import Registration


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """One benchmark's problems under one profile."""

    name: str
    version: str
    #: Where the rows came from and their hash, as the benchmark says.
    origin: Mapping[str, Any]
    tasks: tuple[Task, ...]
    samples: int
    sampling: Sampling
    #: How its domains are judged.
    verifiers: tuple[Use, ...]

    @property
    def sha(self) -> str:
        """Hash of the problems as asked, and of what is right."""
        return digest([[task.id, task.content_hash] for task in self.tasks])

    def facts(self, profile: Profile) -> dict[str, Any]:
        """What a score of it rests on, besides the model and the verifiers."""
        return {
            "version": self.version,
            "origin": dict(self.origin),
            "data_sha": self.sha,
            "problems": len(self.tasks),
            "profile": {
                "name": profile.name,
                "version": profile.version,
                "hash": profile.hash,
                "data_sha": self.sha,
                "samples": self.samples,
                **builtins(self.sampling),
            },
        }


def find_benchmark(name: str, plugins: Plugins) -> tuple[Registration, dict[str, str]]:
    """A benchmark by its name, or a part of it by `NAME@PART`, and the option that picks the part.

    The whole name is the result's, so that scores of different parts never share a column.

    Raises:
        UnknownName: no benchmark of this name; names near matches.
    """
    base, _, part = name.partition(PART)
    registration = plugins.registry.find("benchmarks", base, where="--benchmark")
    return registration, {"part": part} if part else {}


def problem_sets(asked: Asked, profile: Profile, plugins: Plugins, context: BuildContext) -> list[ProblemSet]:
    """The benchmarks in the order they were asked for.

    Raises:
        UnknownName: no benchmark of this name; names near matches.
        DataError, PluginError: its data cannot be had, or does not fit.
        CapabilityError: the profile does not say how to judge it.
    """
    return [_problem_set(name, asked, profile, plugins, context) for name in asked.benchmarks]


def _problem_set(
    name: str, asked: Asked, profile: Profile, plugins: Plugins, context: BuildContext
) -> ProblemSet:
    registration, part = find_benchmark(name, plugins)
    options = asked.benchmarks[name] | part
    benchmark = registration.build(options, context, field_path=f"benchmark {name!r}")
    bare = list(benchmark.tasks())
    if asked.limit is not None:
        bare = bare[: asked.limit]
    if not bare:
        raise DataError("has no problems", where=f"benchmark {name!r}")
    tasks = tuple(profile.asked(task, name) for task in bare)
    uses = {
        profile.domain_of(task, name).verifier.name: profile.domain_of(task, name).verifier for task in bare
    }
    return ProblemSet(
        name,
        benchmark.version,
        getattr(benchmark, "origin", {}),
        tasks,
        asked.samples or profile.samples_of(name),
        profile.sampling_of(name),
        tuple(uses.values()),
    )
