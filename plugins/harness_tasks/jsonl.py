"""Source `jsonl`: a finite set of problems, one JSON object per line, or one row of a parquet file.

All rows are checked when the source is built, so that a bad one stops a run before it starts and not
an hour later. Subjects are task ids, `<prefix>/<row id>`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field

from harness.contract import AnswerSpec, BuildContext, DataError, Task, convert, digest, near
from harness.planning import resolve
from harness.recipe import Model, Share
from harness.support import stem
from harness_tasks.rows import Ids, Row, RowFault, Rows, unpacked
from harness_tasks.splits import split_of
from harness_tasks.wording import Wording

NAME: Final = "jsonl"


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}") from None
    return value


class Fields(Model):
    """Which field of a row holds what."""

    id: str | None = "id"
    """Field with the row's id. Empty numbers rows by their lines."""
    problem: str = "problem"
    """Field with the problem's text."""
    answer: str = "answer"
    """Field with the answer."""
    tags: tuple[str, ...] = ()
    """Fields that become tags of the task, as `<field>=<value>`."""
    meta: tuple[str, ...] = ()
    """Fields that are kept in the task's `meta`."""


class JsonlOptions(Wording):
    """Which file is read, which of its rows are taken, and how they are asked."""

    path: str
    """A jsonl (also .gz) or parquet file: relative to the recipe, or `data:<path>` for the folder that
    HARNESS_DATA names."""
    prefix: str | None = Field(default=None, pattern=r"^[^\s/]+$")
    """Text that starts the task ids, without spaces or slashes. If not set, the file's name without its
    endings."""
    fields: Fields = Fields()
    """Which field of a row holds what."""
    where: dict[str, Annotated[str, AfterValidator(_pattern)]] = Field(default_factory=dict)
    """Regular expressions by field: only rows whose fields match in full are taken, such as `{answer =
    "-?[0-9]+"}`. By default all rows are."""
    split: Literal["all", "train", "heldout"] = "all"
    """Which rows to take. `train` and `heldout` divide the file by a hash of the problem's text, so they
    never share a problem. `all` suits a file that is one split already."""
    heldout_share: Share = 0.1
    """Share of the problems that the split `heldout` holds."""
    verifier: str = ""
    """Verifier that judges the tasks. Empty takes the recipe's `verifier`."""
    domain: str = "math"
    """Domain of all tasks, which a stage's `mixture` and rules may ask for."""
    answer_spec: dict[str, Any] = Field(default_factory=dict)
    """How the verifier is to read answers: `type`, `unit`, `tolerance` (absolute) and `multiple`, such as
    `{tolerance = 0.01}`. By default answers are text without a tolerance."""


class Jsonl:
    """The rows of one file as tasks."""

    endless = False

    def __init__(self, options: JsonlOptions, context: BuildContext) -> None:
        """Raises DataError naming file, line and field of every row that does not fit."""
        self._options = options
        self.verifiers = (options.verifier,)
        file = resolve(options.path, context, where=f"task source {NAME!r}, path")
        self.name = options.prefix or stem(file)
        self._file = file
        self._where = {field: re.compile(pattern) for field, pattern in options.where.items()}
        self._spec = _answer_spec(options.answer_spec)
        self._rows = Rows(unpacked(file, context.cache), self._identify)
        if not len(self._rows):
            raise DataError("no row is left", where=str(file), hint="loosen where, split or heldout_share")

    def subjects(self) -> Sequence[str]:
        """Task ids in the file's order."""
        return Ids(self._rows)

    def fingerprint(self) -> str:
        """Hash of the file's content and of the options that make tasks of it."""
        options = self._options.model_dump(mode="json", exclude={"path", "prefix"})
        return digest(self._rows.content_hash(), self.name, options)

    def draw(self, subject: str, index: int) -> Task:
        """The task of this id, whatever the index; raises DataError if there is none."""
        return self.get(subject)

    def get(self, task_id: str) -> Task:
        """The task of this id; raises DataError if there is none."""
        position = self._rows.find(task_id)
        if position is None:
            known = Ids(self._rows)[:1000]
            raise DataError(f"no task {task_id!r}", where=str(self._file), allowed=near(task_id, known))
        _, row = self._rows.row(position)
        options, fields = self._options, self._options.fields
        return Task(
            id=task_id,
            prompt=options.prompt(row[fields.problem]),
            verifier=options.verifier,
            answer=row[fields.answer],
            domain=options.domain,
            answer_spec=self._spec,
            tags=tuple(f"{field}={row[field]}" for field in fields.tags if row.get(field) is not None),
            meta={field: row[field] for field in fields.meta if field in row},
        )

    def place(self, task_id: str) -> str:
        """Where the task's answer stands: `file:line:field`."""
        return f"{self._file}:{self._rows.line(task_id)}:{self._options.fields.answer}"

    def _identify(self, line: int, row: Row) -> str | None:
        """The row's task id, None if it is left out; raises RowFault if it does not fit."""
        fields = self._options.fields
        for field in (fields.problem, fields.answer, *self._where):
            if field not in row:
                raise RowFault(field, f"is missing; the row has {', '.join(sorted(row))}")
        problem, answer = row[fields.problem], row[fields.answer]
        if not isinstance(problem, str) or not problem.strip():
            raise RowFault(fields.problem, f"must be text that is not empty, not {_short(problem)}")
        if answer is None or answer == "" or answer == []:
            raise RowFault(fields.answer, f"holds no answer but {_short(answer)}")
        name = str(line) if not fields.id else row.get(fields.id)
        if isinstance(name, bool) or not isinstance(name, str | int) or not str(name).strip():
            raise RowFault(fields.id or "", f"must be an id (text or an integer), not {_short(name)}")
        for field, pattern in self._where.items():
            if not pattern.fullmatch(str(row[field])):
                return None
        if self._options.split not in ("all", split_of(problem, self._options.heldout_share)):
            return None
        return f"{self.name}/{name}"


def _answer_spec(values: dict[str, Any]) -> AnswerSpec:
    return convert(values, AnswerSpec, where=f"task source {NAME!r}, answer_spec")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
