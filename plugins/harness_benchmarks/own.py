"""A benchmark without code: a file of rows, or a TOML file that says where they are and how they are judged.

Its version is a hash of all that decides a score besides model and profile: problems, golds, how they are
read, domain and verifier. Another wording, another order or another gold is another version.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final

from harness_tasks.rows import RowFault, unpacked
from pydantic import Field

from harness.contract import UNPARSABLE, AnswerSpec, BuildContext, Message, RecipeError, Task, convert, digest
from harness.contract import kind as kind_of
from harness.planning import resolve
from harness.recipe import Model, Plugin, validated
from harness.support import stem
from harness_benchmarks.errata import tagged
from harness_benchmarks.near_fields import missing
from harness_benchmarks.readers import Reader, Row, with_names
from harness_benchmarks.rows import Found, Place, fetched, read_tasks

TOML: Final = ".toml"


class OwnOptions(Model):
    """Which file describes the benchmark."""

    file: str
    """A file of rows (`.jsonl`, `.jsonl.gz`, `.parquet`) with `problem` and `answer`, or a TOML file that
    describes the benchmark."""


class OwnFields(Model):
    """Which column of a row holds what."""

    problem: str = "problem"
    """Column with the problem's text."""
    answer: str = "answer"
    """Column with the answer that is right. A row without one is an error."""
    id: str | None = None
    """Column with the row's id. If not set, `id` if every row has one, and else the row's number."""
    tags: tuple[str, ...] = ()
    """Columns that scores are reported by, as `<column>=<value>`."""


class Definition(Model):
    """A benchmark as its TOML file holds it."""

    about: str = ""
    """What it is, in words. It is not part of the version."""
    path: str | None = None
    """File of rows: relative to the TOML file, or `data:<path>` for the folder that HARNESS_DATA names. Give
    `path` or `repo`."""
    repo: str | None = None
    """A data set of the Hugging Face Hub, as `owner/name`; it needs `split`."""
    revision: str | None = None
    """Commit, branch or tag of the data set. If not set, the newest commit is taken, recorded and said."""
    config: str | None = None
    """Configuration of the data set. If not set, its default one."""
    split: str | None = None
    """Split of the data set, such as `test`."""
    fields: OwnFields = OwnFields()
    """Columns of the rows."""
    domain: str = "math"
    """The profile's domain that words the problems, and judges them if `verifier` is not set."""
    verifier: Annotated[Plugin, kind_of("verifiers")] | None = None
    """Verifier that judges in place of the profile's. It takes over the profile's options that it has, too,
    such as `thinking`."""
    answer_spec: dict[str, Any] = Field(default_factory=dict)
    """How the verifier is to read answers: `type`, `unit`, `tolerance` (absolute) and `multiple`."""
    errata: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Problems that are known to be odd: by kind, id and what is odd. They stay in; scores are reported with
    and without them."""


class OwnBenchmark:
    """Protocol `Benchmark`. Rows are read when it is built, so that bad data stops a run before it starts."""

    def __init__(self, options: OwnOptions, context: BuildContext) -> None:
        """Raises DataError for rows that do not fit, RecipeError for a description that does not."""
        path = Path(options.file)
        self.name = stem(path)
        made = read_definition(path)
        where = f"benchmark {str(path)!r}"
        rows = _located(made, path, context, where)
        tasks = read_tasks(rows, with_names(_reader(made, self.name, where)))
        kinds = {name: kind for kind, names in made.errata.items() for name in names}
        self._tasks = tagged(tasks, kinds, f"{path}, errata")
        self.verifier: Mapping[str, Any] | None = (
            None if made.verifier is None else {"name": made.verifier.name, **made.verifier.options}
        )
        judged = [made.domain, self.verifier, made.answer_spec]
        self.version = digest([[task.id, task.content_hash] for task in tasks], judged)
        self.origin: dict[str, Any] = {**rows.origin, "sha": self.version}

    def tasks(self) -> Sequence[Task]:
        """All problems in the rows' order, without a profile's wording."""
        return self._tasks


def read_definition(path: Path) -> Definition:
    """What a TOML file says; for a file of rows, that file with all defaults.

    Raises:
        RecipeError: there is no such file, or a field does not fit; near matches are named.
    """
    if not path.is_file():
        raise RecipeError("there is no such file", where=str(path))
    if path.suffix != TOML:
        return Definition(path=str(path))
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except UNPARSABLE as error:
        raise RecipeError(f"not TOML: {error}", where=str(path)) from None
    made = validated(Definition, values, where=str(path))
    if (made.path is None) == (made.repo is None):
        raise RecipeError("give path or repo", where=str(path), hint='path = "rows.jsonl"')
    if made.repo is not None and made.split is None:
        raise RecipeError("a repo needs its split", where=str(path), hint='split = "test"')
    return made


def _located(made: Definition, path: Path, context: BuildContext, where: str) -> Found:
    if made.repo is not None:
        assert made.split is not None
        return fetched(Place(made.repo, made.split, made.config, made.revision), context.cache, where)
    assert made.path is not None
    file = resolve(made.path, replace(context, base=path.parent), where=f"{where}, path")
    return Found(unpacked(file, context.cache), {"source": "file", "file": file.name})


def _reader(made: Definition, name: str, where: str) -> Reader:
    spec = convert(made.answer_spec, AnswerSpec, where=f"{where}, answer_spec")
    fields = made.fields

    def read(row: Row, position: int, seed: int) -> Task:
        for column, what in ((fields.problem, "problem"), (fields.answer, "answer")):
            if column not in row:
                raise RowFault(column, missing(column, what, row))
        problem, answer = row[fields.problem], row[fields.answer]
        if not isinstance(problem, str) or not problem.strip():
            raise RowFault(fields.problem, f"must be text that is not empty, not {problem!r:.60}")
        if answer is None or answer == "" or answer == []:
            raise RowFault(fields.answer, "holds no answer")
        tags = tuple(f"{tag}={row[tag]}" for tag in fields.tags if row.get(tag) is not None)
        return Task(
            id=_identity(row, position), prompt=(Message("user", problem),), verifier="", answer=answer,
            domain=made.domain, answer_spec=spec, tags=tags,
        )  # fmt: skip

    def _identity(row: Row, position: int) -> str:
        if fields.id is None and "id" not in row:
            return f"{name}-{position + 1:04d}"
        given = row.get(fields.id or "id")
        if isinstance(given, bool) or not isinstance(given, str | int) or not str(given).strip():
            if fields.id is not None and fields.id not in row:
                raise RowFault(fields.id, missing(fields.id, "id", row))
            raise RowFault(fields.id or "id", f"must be an id (text or an integer), not {given!r:.60}")
        return str(given)

    return read
