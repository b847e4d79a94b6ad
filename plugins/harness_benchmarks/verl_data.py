"""Task source `verl-data`: rows in the form that verl trains on, from a file or from the Hub.

A row holds `prompt` (messages), `ability`, and `reward_model.ground_truth`: the answer of a math problem, or
the tests of a program as JSON, `{"inputs": [...], "outputs": [...]}`, as PRIME-RL/Eurus-2-RL-Data has them.
Rows stay on disk. Tests that call a function (`fn_name`) are left out: whether an expected `[x]` means the
list or its element differs between the sets that such data was gathered from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from harness_tasks.rows import Ids, Row, RowFault, Rows, unpacked
from pydantic import Field, model_validator

from harness.datafiles import resolve
from harness.errors import DataError, near
from harness.protocols import BuildContext
from harness.recipe.stage import Model
from harness.records import AnswerSpec, Message, Task, digest
from harness_benchmarks.rows import Place, fetched

NAME: Final = "verl-data"
ROLES: Final = ("system", "user", "assistant")


class VerlDataOptions(Model):
    """Which rows, and which verifier judges which of them."""

    #: A jsonl (also .gz) or parquet file: relative to the recipe, or `data:<path>`.
    path: str | None = None
    #: Instead of a path, a data set of the Hub, its config, split and commit.
    repo: str | None = None
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    #: Verifier by ability; rows of other abilities are left out.
    verifiers: dict[str, str] = Field(default={"math": "math", "code": "code"}, min_length=1)
    #: Whether the rows' own system messages are part of the prompt.
    system: bool = True
    #: Starts the task ids; the file's or the repository's name when left out.
    prefix: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> VerlDataOptions:
        if (self.path is None) == (self.repo is None):
            raise ValueError("give a path or a repo")
        return self


class VerlData:
    """A finite source (protocol `TaskSource`): subjects are `<prefix>/<line>`, domains the abilities."""

    endless = False

    def __init__(self, options: VerlDataOptions, context: BuildContext) -> None:
        """Raises DataError naming file, line and field of rows that do not fit."""
        self._options = options
        self.verifiers = tuple(options.verifiers.values())
        where = f"task source {NAME!r}"
        if options.path is not None:
            path = unpacked(resolve(options.path, context, where=f"{where}, path"), context.cache)
            name = options.path.rpartition("/")[2].split(".")[0]
        else:
            place = Place(str(options.repo), options.split, options.config, options.revision)
            path, name = fetched(place, context.cache, where).path, place.repo.rpartition("/")[2]
        self._prefix = options.prefix or name
        self._rows = Rows(path, self._identify)
        if not len(self._rows):
            raise DataError(
                "no row is left", where=str(path), allowed=f"abilities {sorted(options.verifiers)}"
            )

    def subjects(self) -> Sequence[str]:
        """Task ids in the file's order."""
        return Ids(self._rows)

    def fingerprint(self) -> str:
        """Hash of the rows and of the options that make tasks of them."""
        options = self._options.model_dump(
            mode="json", exclude={"path", "repo", "config", "split", "revision"}
        )
        return digest(self._rows.content_hash(), self._prefix, options)

    def draw(self, subject: str, index: int) -> Task:
        """The task of this id, whatever the index; raises DataError when there is none."""
        return self.get(subject)

    def get(self, task_id: str) -> Task:
        """The task of this id; raises DataError when there is none."""
        position = self._rows.find(task_id)
        if position is None:
            known = Ids(self._rows)[:1000]
            raise DataError(f"no task {task_id!r}", where=str(self._rows.path), allowed=near(task_id, known))
        _, row = self._rows.row(position)
        ability = row["ability"]
        code = ability == "code"
        return Task(
            id=task_id,
            prompt=tuple(m for m in _messages(row) if self._options.system or m.role != "system"),
            verifier=self._options.verifiers[ability],
            answer=_tests(row) if code else _truth(row),
            answer_spec=AnswerSpec() if code else AnswerSpec(type="expression"),
            domain=ability,
            tags=(f"source={row['data_source']}",) if row.get("data_source") else (),
        )

    def _identify(self, line: int, row: Row) -> str | None:
        ability = row.get("ability")
        if not isinstance(ability, str):
            raise RowFault("ability", f"must be text, not {ability!r}")
        if ability not in self._options.verifiers:
            return None
        _messages(row)
        if ability != "code":
            _truth(row)
        elif _tests(row) is None:
            return None
        return f"{self._prefix}/{line}"


def _messages(row: Row) -> tuple[Message, ...]:
    prompt = row.get("prompt")
    if not isinstance(prompt, list) or not prompt:
        raise RowFault("prompt", "must be a list of messages that is not empty")
    for message in prompt:
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            raise RowFault("prompt", f"holds {str(message)[:60]!r}, which is no message with a content")
        if message.get("role") not in ROLES:
            raise RowFault("prompt", f"holds the role {message.get('role')!r}, not one of {', '.join(ROLES)}")
    return tuple(Message(message["role"], message["content"]) for message in prompt)


def _truth(row: Row) -> str:
    model = row.get("reward_model")
    truth = model.get("ground_truth") if isinstance(model, Mapping) else None
    if truth is None or not str(truth).strip():
        raise RowFault("reward_model.ground_truth", "is missing or empty")
    return str(truth)


def _tests(row: Row) -> dict[str, Any] | None:
    """The answer of a code task; None for tests that call a function."""
    try:
        truth = msgspec.json.decode(_truth(row))
    except msgspec.DecodeError as error:
        raise RowFault("reward_model.ground_truth", f"is not JSON: {error}") from None
    if not isinstance(truth, dict) or not {"inputs", "outputs"} <= truth.keys():
        raise RowFault("reward_model.ground_truth", "must hold inputs and outputs")
    if truth.get("fn_name"):
        return None
    inputs, outputs = truth["inputs"], truth["outputs"]
    if not (isinstance(inputs, list) and isinstance(outputs, list) and len(inputs) == len(outputs) > 0):
        raise RowFault("reward_model.ground_truth", "must hold as many outputs as inputs, and some")
    tests = [{"input": _text(i), "output": _text(o)} for i, o in zip(inputs, outputs, strict=True)]
    return {"kind": "stdio", "tests": tests}


def _text(value: Any) -> str:
    """A test's text; some rows hold it as a list of lines."""
    if isinstance(value, list):
        return "\n".join(str(line) for line in value)
    return str(value)
