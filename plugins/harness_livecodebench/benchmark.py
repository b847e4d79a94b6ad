"""A release of LiveCodeBench, or a date window of it, as a benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from harness_benchmarks.profile import PackagedProfile
from harness_benchmarks.rows import Place, fetched, fingerprint

from harness.contract import AnswerSpec, BuildContext, DataError, Message, Task
from harness_livecodebench.errata import errata
from harness_livecodebench.options import LiveCodeBenchOptions
from harness_livecodebench.problems import Problem, read_file
from harness_livecodebench.prompts import format_of
from harness_livecodebench.releases import FILES, REPOSITORY, SIZES, Window, files_of
from harness_livecodebench.store import Store

#: A copy of the Hub's repository below HARNESS_DATA.
FOLDER: Final = REPOSITORY
#: Statements with public tests alone.
STATEMENTS: Final = "code/lcb_v6_problems.jsonl"


class LiveCodeBench:
    """Protocol `Benchmark`. Rows are read when it is built, so that bad data stops a run before it starts."""

    version = "1-A"

    def __init__(
        self, release: str, public: bool, options: LiveCodeBenchOptions, context: BuildContext
    ) -> None:
        """Raises DataError: the data is not there, does not fit, or is not complete."""
        name = f"livecodebench-{release}{'-public' if public else ''}"
        self.name = f"{name}@{options.part}" if options.part else name
        window = Window.parse(options.part, f"benchmark {self.name!r}")
        self._release, self._public = release, public
        problems, self.origin = self._problems(options, context)
        chosen = [problem for problem in problems if datetime.fromisoformat(problem.date) in window]
        size = SIZES.get((release, options.part))
        if size is not None and len(chosen) != size:
            raise DataError(
                f"has {len(chosen)} problems, so it is not {self.name}", where=f"benchmark {self.name!r}",
                allowed=str(size),
            )  # fmt: skip
        self._tasks = [self._task(problem) for problem in chosen]
        self.origin |= {"sha": fingerprint(self._tasks), "tests": "public" if public else "all"}

    def tasks(self) -> Sequence[Task]:
        """All problems in the data set's order, without a profile's wording."""
        return self._tasks

    def _task(self, problem: Problem) -> Task:
        tests, count = self._tests(problem)
        known = errata()
        fault = known.get(problem.id) or known.get(problem.title) or "none"
        return Task(
            id=problem.id,
            prompt=(Message("user", problem.question),),
            verifier="",
            answer={
                "kind": "livecodebench",
                "entry_point": problem.entry_point,
                "tests": tests,
                "count": count,
            },
            domain="livecodebench",
            answer_spec=AnswerSpec(type="program"),
            tags=(f"difficulty={problem.difficulty}", f"platform={problem.platform}", f"errata={fault}"),
            meta={"format": format_of(problem.starter), "date": problem.date, "title": problem.title},
        )

    def _tests(self, problem: Problem) -> tuple[str, int]:
        return problem.public if self._public else problem.tests

    # Where the rows are -----------------------------------------------------------------------------

    def _problems(
        self, options: LiveCodeBenchOptions, context: BuildContext
    ) -> tuple[list[Problem], dict[str, Any]]:
        paths, origin = self._files(options, context)
        store = Store(context.cache)
        problems = [problem for path in paths for problem in read_file(path, store, context.cache)]
        if origin.get("statements"):
            problems = self._of_statements(problems, paths[0])
        count = FILES[self._release][1]
        if len({problem.id for problem in problems}) != len(problems) or len(problems) != count:
            raise DataError(
                f"has {len(problems)} problems, so it is not release {self._release}",
                where=", ".join(map(str, paths)), allowed=str(count),
            )  # fmt: skip
        # A problem without a test would be passed by every program.
        asked = [problem for problem in problems if self._tests(problem)[1]]
        return asked, {**origin, "without_tests": [p.id for p in problems if p not in asked]}

    def _of_statements(self, problems: list[Problem], path: Path) -> list[Problem]:
        """The release's problems of a file of statements, which knows v5 and v6 alone."""
        if self._release == "v5":
            return [problem for problem in problems if problem.in_v5]
        lacking = sum(not problem.public[1] for problem in problems)
        raise DataError(
            f"knows the problems of v5 alone ({lacking} of {len(problems)} have no public tests)",
            where=str(path),
            hint=f"put test*.jsonl of the data set into HARNESS_DATA/{FOLDER}, or use the Hub",
        )  # fmt: skip

    def _files(
        self, options: LiveCodeBenchOptions, context: BuildContext
    ) -> tuple[list[Path], dict[str, Any]]:
        names = files_of(self._release)
        if options.source != "hub" and context.data is not None:
            mirror = [context.data / FOLDER / name for name in names]
            if all(path.is_file() for path in mirror):
                return mirror, {"source": "local", "file": f"{FOLDER}/test*.jsonl"}
            statements = context.data / STATEMENTS
            if self._public and statements.is_file():
                return [statements], {"source": "local", "file": STATEMENTS, "statements": True}
        if options.source == "local":
            raise DataError(
                "HARNESS_DATA is not set"
                if context.data is None
                else f"no {', '.join(names)} in {str(context.data / FOLDER)!r}",
                where=f"benchmark {self.name!r}",
                hint="put a copy of the Hub's files there, or load it from the Hub; the public tests alone "
                f"are livecodebench-{self._release}-public",
            )
        return _from_hub(names, options.revision, context, f"benchmark {self.name!r}")


def _from_hub(
    names: Sequence[str], revision: str | None, context: BuildContext, where: str
) -> tuple[list[Path], dict[str, Any]]:
    """The files at one commit."""
    place = Place(REPOSITORY, "test", revision=revision)
    paths = []
    for name in names:
        release_file = fetched(replace(place, file=name), context.cache, where)
        place = replace(place, revision=release_file.origin["revision"])
        paths.append(release_file.path)
    return paths, {"source": "hub", "repo": REPOSITORY, "revision": place.revision}


def lcb_chat(options: None, context: BuildContext) -> PackagedProfile:
    """The profile of this name."""
    return PackagedProfile("lcb-chat", "harness_livecodebench")


def __getattr__(name: str) -> Any:
    """A factory for each release: `v5`, `v5_public`."""
    release, _, tests = name.partition("_")
    if release not in FILES or tests not in ("", "public"):
        raise AttributeError(name)

    def factory(options: LiveCodeBenchOptions, context: BuildContext) -> LiveCodeBench:
        return LiveCodeBench(release, tests == "public", options, context)

    return factory
