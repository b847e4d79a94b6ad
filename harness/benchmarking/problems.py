"""The benchmarks of an evaluation as its profile asks them: problems, samples, sampling, verifiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from harness.benchmarking.folder import Asked
from harness.benchmarking.profile import PART, Profile
from harness.contract.capabilities import BenchmarkCapabilities
from harness.contract.errors import CapabilityError, DataError, RecipeError
from harness.contract.members import member
from harness.contract.protocols import BuildContext
from harness.contract.records import Task, builtins, digest
from harness.evaluating.sets import EvaluationSet
from harness.plugging.plugins import Plugins
from harness.plugging.registry import Registration
from harness.recipe.stage import Use
from harness.support.files import stem

#: The benchmark that reads a user's own file, and its option that names the file.
OWN: Final = "own"
FILE: Final = "file"
#: Endings by which a word of the command line is such a file.
FILES: Final = (".jsonl", ".jsonl.gz", ".parquet", ".toml")


@dataclass(frozen=True, slots=True)
class ProblemSet(EvaluationSet):
    """One benchmark's problems under one profile."""

    version: str
    #: Where the rows came from and their hash, as the benchmark says.
    origin: Mapping[str, Any]
    #: How its domains are judged.
    verifiers: tuple[Use, ...]

    @property
    def sha(self) -> str:
        """Hash of the problems as asked, and of what is right."""
        return digest([[task.id, task.content_hash] for task in self.tasks])

    def strata(self) -> Mapping[str, Sequence[Task]]:
        """Its tasks by tag, sorted; a task may have several."""
        members: dict[str, list[Task]] = {}
        for task in self.tasks:
            for tag in task.tags:
                members.setdefault(tag, []).append(task)
        return dict(sorted(members.items()))

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


def find_benchmark(
    name: str, plugins: Plugins, options: Mapping[str, Any] | None = None
) -> tuple[Registration, dict[str, str]]:
    """A benchmark by its name, or a part of it by `NAME@PART`, and the option that picks the part.

    The whole name is the result's, so that scores of different parts never share a column.

    Args:
        options: as asked for; a `file` among them says that the benchmark is the user's own.

    Raises:
        UnknownName: no benchmark of this name; names near matches.
    """
    if options and FILE in options:
        return plugins.registry.find("benchmarks", OWN, where="--benchmark"), {}
    base, _, part = name.partition(PART)
    registration = plugins.registry.find("benchmarks", base, where="--benchmark")
    return registration, {"part": part} if part else {}


def asked_benchmarks(
    given: Iterable[str], plugins: Plugins, base: Path | None = None
) -> dict[str, dict[str, Any]]:
    """Benchmarks as a command line names them, by name and with options: names, comma-separated lists of
    names, and files of the user's own.

    Args:
        base: folder that relative files start from; the working directory if not set.

    Raises:
        UnknownName: no benchmark of one name; names near matches.
        RecipeError: a file is not there, or its name is a benchmark's or another file's.
    """
    asked: dict[str, dict[str, Any]] = {}
    for word in (name.strip() for part in given for name in part.split(",") if name.strip()):
        path = ((base or Path.cwd()) / Path(word).expanduser()).resolve()
        if not word.endswith(FILES):
            _refuse_other_files(word, path, plugins)
            find_benchmark(word, plugins)
            asked[word] = {}
            continue
        name = stem(path)
        if not path.is_file():
            raise RecipeError(
                "is a folder, not a file" if path.is_dir() else "there is no such file",
                where=f"--benchmark {word}",
            )
        if name in plugins.registry.names("benchmarks") or PART in name:
            raise RecipeError(
                f"{name!r} is the name of a benchmark" if PART not in name else f"{name!r} holds a {PART!r}",
                where=f"--benchmark {word}", hint="rename the file: its name is the benchmark's",
            )  # fmt: skip
        if asked.get(name, {FILE: str(path)}) != {FILE: str(path)}:
            raise RecipeError(
                f"two benchmarks are named {name!r}", where=f"--benchmark {word}", hint="rename one"
            )
        asked[name] = {FILE: str(path)}
    return asked


def _refuse_other_files(word: str, path: Path, plugins: Plugins) -> None:
    """Raise RecipeError for words that mean a file, and do not name it as one is named."""
    where = f"--benchmark {word}"
    if word == OWN:
        raise RecipeError("a benchmark of your own is named by its file", where=where, hint="-b mine.jsonl")
    base, _, part = word.partition(PART)
    if part and base.endswith(FILES):
        raise RecipeError("a file has no parts", where=where, hint=f"-b {base}")
    if path.is_file() and base not in plugins.registry.names("benchmarks"):
        raise RecipeError("a file of another kind", where=where, allowed=", ".join(FILES))


def families(asked: Mapping[str, Mapping[str, Any]], plugins: Plugins) -> dict[str, tuple[str, ...]]:
    """Names that stand in for each benchmark's in a profile's tables, as its plugin declares them.

    Args:
        asked: benchmarks with their options.

    Raises:
        UnknownName: no benchmark of one name; names near matches.
    """
    able = {
        name: find_benchmark(name, plugins, options)[0].able(BenchmarkCapabilities)
        for name, options in asked.items()
    }
    return {name: capabilities.family for name, capabilities in able.items() if capabilities.family}


def problem_sets(asked: Asked, profile: Profile, plugins: Plugins, context: BuildContext) -> list[ProblemSet]:
    """The benchmarks in the order they were asked for.

    Raises:
        UnknownName: no benchmark of this name; names near matches.
        DataError, PluginError: its data cannot be had, or does not fit.
        CapabilityError: the profile does not say how to judge it.
    """
    sets = [problem_set(name, asked, profile, plugins, context) for name in asked.benchmarks]
    _refuse_two_of_a_name(sets)
    return sets


def _refuse_two_of_a_name(sets: Sequence[ProblemSet]) -> None:
    """An evaluation builds one verifier of each name."""
    known: dict[str, tuple[Use, str]] = {}
    for problems in sets:
        for use in problems.verifiers:
            first, benchmark = known.setdefault(use.name, (use, problems.name))
            if first != use:
                raise CapabilityError(
                    f"{benchmark!r} and {problems.name!r} are judged by {use.name!r} with other options",
                    where="--benchmark", hint="evaluate them in two calls",
                )  # fmt: skip


def problem_set(
    name: str, asked: Asked, profile: Profile, plugins: Plugins, context: BuildContext
) -> ProblemSet:
    """One of the benchmarks that were asked for; raises as `problem_sets` does."""
    registration, part = find_benchmark(name, plugins, asked.benchmarks[name])
    options = asked.benchmarks[name] | part
    benchmark = registration.build(options, context, field_path=f"benchmark {name!r}")
    bare = list(benchmark.tasks())
    if asked.limit is not None:
        bare = bare[: asked.limit]
    if not bare:
        raise DataError("has no problems", where=f"benchmark {name!r}")
    tasks = tuple(profile.asked(task, name) for task in bare)
    own = member("benchmarks", benchmark, "verifier")
    judges = {task.domain: profile.domain_of(task, name).verifier for task in bare}
    if own is not None:
        where = f"{options[FILE]}, verifier" if FILE in options else f"benchmark {name!r}, verifier"
        judges = {domain: _own_judge(own, use, plugins, where) for domain, use in judges.items()}
        tasks = tuple(replace(task, verifier=judges[task.domain].name) for task in tasks)
    return ProblemSet(
        name=name,
        version=benchmark.version,
        origin=member("benchmarks", benchmark, "origin"),
        tasks=tasks,
        samples=asked.samples or profile.samples_of(name, asked.family(name)),
        sampling=profile.sampling_of(name, asked.family(name)),
        verifiers=tuple({use.name: use for use in judges.values()}.values()),
    )


def _own_judge(own: Mapping[str, Any], profiles: Use, plugins: Plugins, where: str) -> Use:
    """A benchmark's own verifier, with the profile's options that it has, too: where thinking ends is the
    model's matter."""
    model = plugins.registry.find("verifiers", own["name"], where=where).options_model()
    shared = {k: v for k, v in profiles.options.items() if model is not None and k in model.model_fields}
    return Use(**{**shared, **own})
