"""A benchmark: the tasks of one catalogue entry, with the version and where the rows came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.contract import BuildContext, DataError, Task
from harness_benchmarks.catalogue import ENTRIES, Entry
from harness_benchmarks.errata import known_faults
from harness_benchmarks.options import BenchmarkOptions
from harness_benchmarks.readers import with_names
from harness_benchmarks.rows import Place, fingerprint, locate, read_tasks


class CatalogueBenchmark:
    """Protocol `Benchmark`. Rows are read when it is built, so that bad data stops a run before it starts."""

    def __init__(self, entry: Entry, options: BenchmarkOptions, context: BuildContext) -> None:
        """Raises DataError: the data is not there, does not fit, or is not complete."""
        self.name, self.version = entry.name, entry.version
        place = Place(entry.repo, entry.split, entry.config, options.revision or entry.revision, entry.gated)
        located = locate(entry.file, place, options.source, context, f"benchmark {entry.name!r}")
        self._tasks = read_tasks(located, with_names(entry.read), options.seed)
        if len(self._tasks) not in entry.problems:
            raise DataError(
                f"has {len(self._tasks)} problems, so it is not {entry.name}",
                where=str(located.path),
                allowed=" or ".join(map(str, entry.problems)),
            )
        self._tasks = known_faults(entry.name, self._tasks)
        #: Where the rows came from, and their hash: recorded with every result.
        self.origin: dict[str, Any] = {**located.origin, "sha": fingerprint(self._tasks)}

    def tasks(self) -> Sequence[Task]:
        """All problems in the benchmark's order, without a profile's wording."""
        return self._tasks


def __getattr__(name: str) -> Any:
    """A factory for each entry of the catalogue: `math500`, `gpqa_diamond`."""
    entry = ENTRIES.get(name.replace("_", "-"))
    if entry is None:
        raise AttributeError(name)

    def factory(options: BenchmarkOptions, context: BuildContext) -> CatalogueBenchmark:
        return CatalogueBenchmark(entry, options, context)

    return factory
