"""How the rows of another tool's file name the problems that they answer.

A column says little by its name: `id` may be the tool's own, positions may count from 1, and one file may
hold the answers of several models. So the whole file is looked at once before a row is taken: which id
columns name a problem at all, where positions begin, and whether it is one model's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Any, Final

from harness.contract.errors import DataError, counted, near
from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling, Task
from harness.scoring import Scorer

IDS: Final = ("task", "id", "task_id", "question_id", "problem_id", "unique_id")
POSITIONS: Final = ("index", "idx", "doc_id")
MODELS: Final = ("model", "model_name", "model_id", "model_name_or_path")
#: Other names of a problem, as its data set has them: `Task.meta`.
NAMES: Final = "names"

#: A position as other tools write whole numbers: `7`, `7.0`.
_WHOLE: Final = re.compile(r"-?\d{1,15}(?:\.0)?")

Row = Mapping[str, Any]
#: Whether a gold answer of a row is that of the task.
SameGold = Callable[[Task, Any], bool]


@dataclass(frozen=True, slots=True)
class Naming:
    """How one file's rows name problems."""

    #: Columns of ids that name at least one of the problems.
    ids: frozenset[str] = frozenset()
    #: The position of the first problem, 0 or 1.
    first: int = 0
    #: The one model that the rows name; empty if they name none.
    model: str = ""
    #: What was understood without being said.
    notes: tuple[str, ...] = ()


def names_of(tasks: Sequence[Task]) -> dict[str, Task]:
    """Every name that is one task's alone -> the task: its id, and what else its data set calls it."""
    out: dict[str, Task | None] = {}
    for task in tasks:
        for name in task.meta.get(NAMES, ()):
            out[name] = None if name in out else task
    return {name: task for name, task in out.items() if task is not None} | {task.id: task for task in tasks}


def position_of(row: Row) -> tuple[str, int] | None:
    """(column, number) of the row's position, None if it has none; an id that is a number is one."""
    for name in (*POSITIONS, *IDS):
        value = row.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return name, value
        if name in POSITIONS and isinstance(value, float | str) and _WHOLE.fullmatch(str(value)):
            return name, int(float(value))
    return None


def same_text(task: Task, gold: Any) -> bool:
    """Whether both golds are written alike, white space aside."""
    return plain(gold) == plain(task.answer)


def plain(value: Any) -> str:
    """A value's text without white space."""
    return "".join(str(value).split())


class GoldCheck:
    """Whether a gold answer is the task's, however it is written: the task's verifier compares them."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._known: dict[tuple[str, str], bool] = {}

    def __call__(self, task: Task, gold: Any) -> bool:
        """Programs have no gold answer to compare: theirs is always the same."""
        if isinstance(task.answer, Mapping) or same_text(task, gold):
            return True
        place = (task.id, str(gold))
        if place not in self._known:
            verdicts = self._scorer.score_many([(task, _answered(task, text)) for text in _forms(str(gold))])
            self._known[place] = any(verdict.status == "pass" for verdict in verdicts)
        return self._known[place]


def _forms(gold: str) -> tuple[str, ...]:
    """A gold as responses that say nothing else, for any way of finding an answer in one."""
    return (f"</think>\n\\boxed{{{gold}}}", f"</think>\n{gold}", gold)


def _answered(task: Task, text: str) -> Rollout:
    key = RolloutKey("gold", "eval", "", 0, task.id, 0)
    return Rollout(
        key=key, prompt_ids=(), completion_ids=(), text=text, finish="stop", policy=PolicyRef(weights_sha=""),
        sampling=Sampling(),
    )  # fmt: skip


@dataclass(slots=True)
class _Seen:
    """What a file's rows show."""

    #: Values of columns that name models.
    models: dict[str, set[str]] = field(default_factory=dict)
    hits: set[str] = field(default_factory=set)
    #: Columns whose ids name no problem -> one of them.
    misses: dict[str, str] = field(default_factory=dict)
    column: str = ""
    positions: set[int] = field(default_factory=set)
    #: (position, gold, problem) of rows that have a position, and a gold answer or a problem's text.
    evidence: set[tuple[int, Any, str]] = field(default_factory=set)


def survey(
    rows: Iterable[Row], tasks: Sequence[Task], same: SameGold, where: str, first: int | None = None
) -> Naming:
    """How a file's rows name problems.

    Args:
        rows: all rows that are to be taken.
        tasks: all problems of the benchmark, in its order, as they are asked.
        same: compares golds.
        where: the file, for messages.
        first: the position of the first problem, if it is known.

    Raises:
        DataError: the rows are several models', or positions may begin at 0 or at 1.
    """
    names = names_of(tasks)
    seen = _Seen()
    for row in rows:
        _look(row, names, seen)
    model = _one_model(seen, where)
    notes = [
        f"column {column!r} names none of the benchmark's problems ({example!r}): rows are matched without it"
        for column, example in seen.misses.items()
        if column not in seen.hits
    ]
    if first is None:
        first = _first(seen, tasks, same, where)
        if first:
            notes.append(f"column {seen.column!r} counts problems from 1, so 1 is taken for the first")
    return Naming(frozenset(seen.hits), first, model, tuple(notes))


def _look(row: Row, names: Mapping[str, Task], seen: _Seen) -> None:
    for name in MODELS:
        if isinstance(row.get(name), str):
            seen.models.setdefault(name, set()).add(row[name])
    named = False
    for name in IDS:
        value = row.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int):
            continue
        if str(value) in names:
            seen.hits.add(name)
            named = True
        elif isinstance(value, str):
            seen.misses.setdefault(name, value)
    place = position_of(row)
    if named or place is None:
        return
    seen.column, position = place
    seen.positions.add(position)
    gold, problem = row.get("gold"), row.get("problem")
    gold = gold if isinstance(gold, str | int | float) else None
    text = plain(problem) if isinstance(problem, str) else ""
    if gold is not None or text:
        seen.evidence.add((position, gold, text))


def _one_model(seen: _Seen, where: str) -> str:
    for column, models in seen.models.items():
        if len(models) > 1:
            raise DataError(
                f"column {column!r} names {counted(len(models), 'model')}: their answers would be counted as "
                "samples of one",
                where=where,
                allowed=near("", models),
                hint=f"take one of them: --where {column}={quote(min(models))}",
            )
    return next((name for models in seen.models.values() for name in models), "")


def _first(seen: _Seen, tasks: Sequence[Task], same: SameGold, where: str) -> int:
    """Where positions begin: at 0, unless all rows show that it is 1."""
    if not seen.positions or min(seen.positions) < 1:
        return 0
    if seen.evidence:
        return int(not _all_fit(0, seen, tasks, same) and _all_fit(1, seen, tasks, same))
    last = max(seen.positions)
    if last == len(tasks):
        return 1
    if 1 < last < len(tasks) and seen.positions == set(range(1, last + 1)):
        raise DataError(
            f"column {seen.column!r} runs from 1 to {last}, and no row says which problem is meant by 1: the "
            "first or the second",
            where=where,
            hint="--first-index 1 if the first, --first-index 0 if the second",
        )
    return 0


def _all_fit(first: int, seen: _Seen, tasks: Sequence[Task], same: SameGold) -> bool:
    """Whether each position's golds and texts are those of its problem."""
    for position, gold, text in seen.evidence:
        if not 0 <= position - first < len(tasks):
            return False
        task = tasks[position - first]
        if gold is not None and not same(task, gold):
            return False
        if gold is None and text not in plain(task.prompt[-1].content):
            return False
    return True
