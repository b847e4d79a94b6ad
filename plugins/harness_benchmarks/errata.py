"""Problems of the catalogue that are known to be odd: what is odd, and who says so. They stay in.

A report gives the score with and without them, by the tag `errata=<kind>`; `none` is all others of the
benchmark.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from harness.contract import DataError, Task


@cache
def errata() -> dict[str, dict[str, Any]]:
    """Benchmark -> `source`, and by kind a table of problem id -> what is odd."""
    return tomllib.loads(files("harness_benchmarks").joinpath("errata.toml").read_text("utf-8"))


def known_faults(benchmark: str, tasks: Sequence[Task]) -> list[Task]:
    """The tasks with a tag each if the benchmark has errata; raises DataError for an unknown id."""
    table = errata().get(benchmark, {})
    kinds = {name: kind for kind, names in table.items() if isinstance(names, dict) for name in names}
    return tagged(tasks, kinds, f"errata of {benchmark!r}")


def tagged(tasks: Sequence[Task], kinds: dict[str, str], where: str) -> list[Task]:
    """The tasks with the tag `errata=<kind>`, `none` if nothing is known; as they are without errata.

    Raises:
        DataError: an erratum names no task.
    """
    if not kinds:
        return list(tasks)
    if unknown := sorted(kinds.keys() - {task.id for task in tasks}):
        raise DataError(f"no problem is named {unknown[0]!r}", where=where)
    return [replace(task, tags=(*task.tags, f"errata={kinds.get(task.id, 'none')}")) for task in tasks]
