"""Task source `verl-data`: rows in the form that verl trains on, from a file or from the Hub.

A row holds `prompt` (messages), `ability`, and `reward_model.ground_truth`: the answer of a math problem or a
list of alternatives; or the tests of a program as JSON, `{"inputs": [...], "outputs": [...]}`, as
PRIME-RL/Eurus-2-RL-Data has them. Rows stay on disk. Tests that call a function (`fn_name`) are left out:
whether an expected `[x]` means the list or its element differs between the sets that such data was gathered
from.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from harness_tasks.rows import Ids, Row, RowFault, Rows, unpacked
from pydantic import Field, model_validator

from harness.contract import AnswerSpec, BuildContext, DataError, Message, Task, digest, near
from harness.planning import resolve
from harness.recipe import Model
from harness_benchmarks.rows import Place, fetched

NAME: Final = "verl-data"
#: The field that holds the gold answer.
TRUTH: Final = "reward_model.ground_truth"
#: How a list of texts, or an object, begins that Python made a text of.
_QUOTED: Final = re.compile(r"\s*(?:\[|\{)\s*['\"]")
#: Longest text that is read as one, in characters.
LONGEST: Final = 10_000
ROLES: Final = ("system", "user", "assistant")


class VerlDataOptions(Model):
    """Which rows are read, and which verifier judges them. Give `path` or `repo`."""

    path: str | None = None
    """A jsonl (also .gz) or parquet file: relative to the recipe, or `data:<path>` for the folder that
    HARNESS_DATA names."""
    repo: str | None = None
    """A data set of the Hugging Face Hub, as `owner/name`."""
    config: str | None = None
    """Configuration of the data set. If not set, its default one. Only with `repo`."""
    split: str = "train"
    """Split of the data set. Only with `repo`."""
    revision: str | None = None
    """Branch, tag or commit of the data set on the Hugging Face Hub. If not set, the newest commit. Only
    with `repo`."""
    verifiers: dict[str, str] = Field(default={"math": "math", "code": "code"}, min_length=1)
    """Verifier per value of the rows' field `ability`. Rows with another ability are left out."""
    system: bool = True
    """Whether the rows' own system messages are part of the prompt."""
    prefix: str = ""
    """Text that starts the task ids. Empty takes the file's or the repository's name."""

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
            self._file = resolve(options.path, context, where=f"{where}, path")
            path = unpacked(self._file, context.cache)
            name = options.path.rpartition("/")[2].split(".")[0]
        else:
            place = Place(str(options.repo), options.split, options.config, options.revision)
            path, name = fetched(place, context.cache, where).path, place.repo.rpartition("/")[2]
            self._file = path
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
        """The task of this id, whatever the index; raises DataError if there is none."""
        return self.get(subject)

    def get(self, task_id: str) -> Task:
        """The task of this id; raises DataError if there is none."""
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

    def place(self, task_id: str) -> str:
        """Where the task's answer stands: `file:line:field`."""
        return f"{self._file}:{self._rows.line(task_id)}:{TRUTH}"

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
            raise RowFault("prompt", f"holds {str(message)[:60]!r}, which is not a message with content")
        if message.get("role") not in ROLES:
            raise RowFault("prompt", f"holds the role {message.get('role')!r}, not one of {', '.join(ROLES)}")
    return tuple(Message(message["role"], message["content"]) for message in prompt)


def _truth(row: Row) -> str | int | float | list[Any]:
    """The gold answer: text, a number, or alternatives; raises RowFault for what is none of these.

    A text that is a list of texts as JSON or Python writes it is alternatives (Skywork-OR1's form); a list of
    numbers, `[1, 2]`, may be the answer itself and stays text.
    """
    model = row.get("reward_model")
    truth = model.get("ground_truth") if isinstance(model, Mapping) else None
    if truth is None or truth == [] or not str(truth).strip():
        raise RowFault(TRUTH, "is missing or empty")
    if isinstance(truth, str):
        return _alternatives(_listed(truth))
    return _alternatives(truth)


def _listed(text: str) -> Any:
    """What a text holds if it is JSON of a kind that no answer is written in, else the text."""
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, msgspec.ValidationError):
        value = _written_by_python(text)
    if isinstance(value, dict) and value:
        return value
    return value if isinstance(value, list) and any(isinstance(item, str) for item in value) else text


def _written_by_python(text: str) -> Any:
    """What `str` of a list of texts, or of an object, made a text of; None for other texts."""
    if not _QUOTED.match(text) or len(text) > LONGEST:
        return None
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _alternatives(truth: Any) -> str | int | float | list[Any]:
    if isinstance(truth, Mapping):
        raise RowFault(
            TRUTH,
            f"is an object ({', '.join(map(str, truth))}), which nothing is compared with; what is needed is "
            "text, a number, or a list of alternatives",
        )  # fmt: skip
    items = truth if isinstance(truth, list) else [truth]
    for item in items:
        if isinstance(item, bool) or not isinstance(item, str | int | float) or not str(item).strip():
            raise RowFault(TRUTH, f"holds {item!r}, which is no answer: text, a number, or a list of those")
    return items[0] if len(items) == 1 else items


def _tests(row: Row) -> dict[str, Any] | None:
    """The answer of a code task; None for tests that call a function."""
    try:
        truth = _told(row)
    except msgspec.DecodeError as error:
        raise RowFault(TRUTH, f"is not JSON: {error}") from None
    if not isinstance(truth, dict) or not {"inputs", "outputs"} <= truth.keys():
        raise RowFault(TRUTH, "must hold inputs and outputs")
    if truth.get("fn_name"):
        return None
    inputs, outputs = truth["inputs"], truth["outputs"]
    if not (isinstance(inputs, list) and isinstance(outputs, list) and len(inputs) == len(outputs) > 0):
        raise RowFault(TRUTH, "must hold as many outputs as inputs, and some")
    tests = [{"input": _text(i), "output": _text(o)} for i, o in zip(inputs, outputs, strict=True)]
    return {"kind": "stdio", "tests": tests}


def _told(row: Row) -> Any:
    """The tests, as JSON text or as the value itself; raises DecodeError for text that is no JSON."""
    model = row.get("reward_model")
    truth = model.get("ground_truth") if isinstance(model, Mapping) else None
    if not truth or not str(truth).strip():
        raise RowFault(TRUTH, "is missing or empty")
    return msgspec.json.decode(truth) if isinstance(truth, str) else truth


def _text(value: Any) -> str:
    """A test's text; some rows hold it as a list of lines."""
    if isinstance(value, list):
        return "\n".join(str(line) for line in value)
    return str(value)
