"""Task source `hub`: training and held-out tasks from the Hub, or a benchmark's rows.

The same loader as the benchmarks': pinned, cached, checked row by row before anything starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from harness_tasks.rows import RowFault

from harness.contract import AnswerSpec, BuildContext, DataError, Message, RecipeError, Task, convert, near
from harness_benchmarks.catalogue import ENTRIES
from harness_benchmarks.options import HubOptions
from harness_benchmarks.readers import Reader, text
from harness_benchmarks.rows import Found, Place, fetched, locate, read_tasks

NAME: Final = "hub"


class HubSource:
    """A finite source (protocol `TaskSource`): subjects are task ids."""

    endless = False

    def __init__(self, options: HubOptions, context: BuildContext) -> None:
        """Raises DataError for rows that do not fit, RecipeError for options that do not."""
        self._options = options
        where = f"task source {NAME!r}"
        located, read = _rows_of(options, context, where)
        self._path, self._lines = located.path, dict[str, int]()
        tasks = read_tasks(located, read, 0, options.limit, self._lines)
        if not tasks:
            raise DataError("no row is left", where=str(located.path))
        self.origin = located.origin
        self._tasks = {task.id: self._worded(task) for task in tasks}
        self._ids = list(self._tasks)

    def subjects(self) -> Sequence[str]:
        """Task ids in the data set's order."""
        return self._ids

    def draw(self, subject: str, index: int) -> Task:
        """The task of this id, whatever the index; raises DataError if there is none."""
        return self.get(subject)

    def get(self, task_id: str) -> Task:
        """The task of this id; raises DataError if there is none."""
        task = self._tasks.get(task_id)
        if task is None:
            raise DataError(
                f"no task {task_id!r}", where=f"task source {NAME!r}", allowed=near(task_id, self._ids)
            )
        return task

    def place(self, task_id: str) -> str:
        """Where the task's answer stands: `file:line:field`."""
        return f"{self._path}:{self._lines[task_id]}:{self._options.fields.answer}"

    def _worded(self, task: Task) -> Task:
        content = self._options.template.replace("{problem}", task.prompt[-1].content)
        return replace(task, prompt=(Message("user", content),), verifier=self._options.verifier)


def _rows_of(options: HubOptions, context: BuildContext, where: str) -> tuple[Found, Reader]:
    if (options.benchmark is None) == (options.repo is None):
        raise RecipeError("give a benchmark or a repo", where=where)
    if "{problem}" not in options.template:
        raise RecipeError("template holds no {problem}", where=where)
    if options.benchmark is not None:
        entry = ENTRIES.get(options.benchmark)
        if entry is None:
            raise RecipeError(
                f"there is no benchmark {options.benchmark!r}",
                where=where,
                allowed=near(options.benchmark, ENTRIES),
            )
        split = options.split or entry.split
        place = Place(entry.repo, split, entry.config, options.revision or entry.revision, entry.gated)
        file = entry.file if split == entry.split else None
        return locate(file, place, options.source, context, where), entry.read
    assert options.repo is not None
    if options.split is None:
        raise RecipeError("a repo needs its split", where=where, hint='split = "train"')
    place = Place(options.repo, options.split, options.config, options.revision)
    return fetched(place, context.cache, where), _reader(options)


def _reader(options: HubOptions) -> Reader:
    """Reads columns as the options name them."""
    spec = convert(options.answer_spec, AnswerSpec, where=f"task source {NAME!r}, answer_spec")
    fields = options.fields
    prefix = options.prefix or str(options.repo).rpartition("/")[2]

    def read(row: Mapping[str, Any], position: int, seed: int) -> Task:
        if fields.answer not in row:
            raise RowFault(fields.answer, f"is missing; the row has {', '.join(sorted(row))}")
        answer = row[fields.answer]
        if answer in (None, "", []):
            raise RowFault(fields.answer, "holds no answer")
        name = position if fields.id is None else row.get(fields.id)
        if not isinstance(name, str | int):
            raise RowFault(str(fields.id), f"must be an id (text or an integer), not {name!r}")
        return Task(
            id=f"{prefix}/{name}",
            prompt=(Message("user", text(row, fields.problem)),),
            verifier="",
            answer=answer,
            domain=options.domain,
            answer_spec=spec,
            tags=tuple(f"{f}={row[f]}" for f in fields.tags if row.get(f) is not None),
        )

    return read
