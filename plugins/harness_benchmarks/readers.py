"""From rows to tasks: one reader for each layout that benchmarks come in.

A reader takes a row as the Hub or a local file has it and gives a bare task: the problem as it is
printed, the gold answer with how it is to be read, and tags to report by. Prompts are the profile's.
What does not fit is a `RowFault` that names the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from harness_tasks.rows import RowFault

from harness.contract import AnswerSpec, Message, Task, generator

Row = Mapping[str, Any]
#: (row, position in the split, seed) -> task; None leaves the row out.
Reader = Callable[[Row, int, int], Task | None]

_BOX: Final = re.compile(r"\\boxed\s*\{")
#: `2024-II-4`, `aime24-II-04`
_PAPER: Final = re.compile(r"(?:aime\d+|20\d\d)-(I{1,2})-(\d{1,9})")
_FUNCTION: Final = re.compile(r"^def (\w+)", re.MULTILINE)
LETTERS: Final = "ABCDEFGHIJ"


#: Columns in which data sets name their problems.
_NAMED: Final = ("id", "ID", "unique_id", "task_id", "question_id", "problem_id", "Record ID")


def with_names(read: Reader) -> Reader:
    """The reader's tasks with their other names in `meta["names"]`: what the data set itself calls them, by
    which other tools' outputs may name them."""

    def reading(row: Row, position: int, seed: int) -> Task | None:
        task = read(row, position, seed)
        names = {str(row[name]) for name in _NAMED if isinstance(row.get(name), str | int)}
        return task and replace(task, meta={**task.meta, "names": sorted(names - {task.id})})

    return reading


def text(row: Row, *names: str) -> str:
    """The first of these fields that is there; raises RowFault if none is, or if it is not text."""
    for name in names:
        if name in row:
            value = row[name]
            if not isinstance(value, str) or not value.strip():
                raise RowFault(name, f"must be text that is not empty, not {_short(value)}")
            return value
    raise RowFault(names[0], f"is missing; the row has {', '.join(sorted(row))}")


def _task(identity: str, problem: str, answer: Any, **more: Any) -> Task:
    return Task(id=identity, prompt=(Message("user", problem),), verifier="", answer=answer, **more)


def _tags(row: Row, *names: str) -> tuple[str, ...]:
    return tuple(f"{name}={row[name]}" for name in names if row.get(name) not in (None, ""))


@dataclass(frozen=True, slots=True)
class Integers:
    """AIME and AMC: an integer answer, however it is written (`025`, `27.0`)."""

    prefix: str
    #: Whether the problems are those of two papers.
    papers: bool = False

    def __call__(self, row: Row, position: int, seed: int) -> Task:
        raw = next((row[n] for n in ("answer", "Answer") if n in row), None)
        try:
            number = float(str(raw).strip().replace(",", ""))
            if number != int(number):
                raise ValueError
        except (ValueError, OverflowError):
            raise RowFault("answer", f"must be an integer, not {_short(raw)}") from None
        identity, paper = self._identity(row, position)
        spec = AnswerSpec(type="integer")
        return _task(
            identity,
            text(row, "problem", "Problem", "question"),
            int(number),
            answer_spec=spec,
            tags=(f"paper={paper}",) if paper else (),
        )

    def _identity(self, row: Row, position: int) -> tuple[str, str]:
        """The id and the paper, the same from every copy: by the row's own name if it has one, else
        by its place (15 problems a paper)."""
        named = next((str(row[n]) for n in ("id", "ID") if n in row), "")
        if not self.papers:
            number = int(named.rpartition("-")[2]) if re.fullmatch(r"(?:.*-)?\d{1,9}", named) else position
            return f"{self.prefix}-{number:02d}", ""
        match = _PAPER.fullmatch(named)
        paper = match[1] if match else ("I" if position < 15 else "II")
        number = int(match[2]) if match else position % 15 + 1
        return f"{self.prefix}-{paper}-{number:02d}", paper


def math500(row: Row, position: int, seed: int) -> Task:
    """MATH-500: LaTeX answers, levels 1 to 5, seven subjects."""
    return _task(
        f"math500-{position:03d}",
        text(row, "problem"),
        text(row, "answer"),
        answer_spec=AnswerSpec(type="expression"),
        tags=_tags(row, "level", "subject"),
    )


def gsm8k(row: Row, position: int, seed: int) -> Task:
    """GSM8K: the number after `####`."""
    answer = text(row, "answer").rpartition("####")[2].strip().replace(",", "")
    if not re.fullmatch(r"-?\d+(?:\.\d+)?", answer):
        raise RowFault("answer", f"must end in a number, not {_short(answer)}")
    return _task(
        f"gsm8k-test-{position:04d}",
        text(row, "problem", "question"),
        answer,
        answer_spec=AnswerSpec(type="number"),
    )


def minerva(row: Row, position: int, seed: int) -> Task:
    """Minerva: the gold is the last box of the solution, or the Hub's own `answer`."""
    if isinstance(row.get("answer"), str) and row["answer"].strip():
        answer = row["answer"]
    else:
        answer = _last_box(text(row, "solution"))
    return _task(
        f"minerva-{position:03d}",
        text(row, "problem", "question"),
        answer,
        answer_spec=AnswerSpec(type="expression"),
        tags=_tags({"subject": str(row.get("type") or "").split(" (")[0]}, "subject"),
    )


def olympiadbench(row: Row, position: int, seed: int) -> Task:
    """OlympiadBench: lists of answers all of which are asked for, units, absolute tolerances."""
    answers = row.get("final_answer")
    if not isinstance(answers, list) or not answers or not all(isinstance(a, str) and a for a in answers):
        raise RowFault("final_answer", f"must be a list of texts, not {_short(answers)}")
    multiple = row.get("is_multiple_answer")
    if not isinstance(multiple, bool):
        raise RowFault("is_multiple_answer", f"must be true or false, not {_short(multiple)}")
    plain = [_undollared(answer) for answer in answers]
    context = row.get("context")
    problem = text(row, "question")
    spec = AnswerSpec(
        type="number" if row.get("answer_type") == "Numerical" and not multiple else "expression",
        unit=_unit(row.get("unit")),
        tolerance=_tolerance(row.get("error")),
        multiple=multiple,
    )
    return _task(
        f"olympiadbench-{str(row.get('id', position)).removeprefix('olympiadbench-')}",
        f"{context}\n\n{problem}" if isinstance(context, str) and context.strip() else problem,
        plain if multiple else plain[0],
        answer_spec=spec,
        tags=_tags({"subject": row.get("subfield"), "type": row.get("answer_type")}, "subject", "type"),
    )


def _unit(unit: Any) -> str | None:
    if unit is not None and not isinstance(unit, str):
        raise RowFault("unit", f"must be text, not {_short(unit)}")
    return (unit or "").strip("$ ") or None


def _undollared(answer: str) -> str:
    """Without the dollars around all of it."""
    bare = answer.strip()
    whole = bare.count("$") == 2 and bare.startswith("$") and bare.endswith("$")
    return bare[1:-1].strip() if whole else bare


def _tolerance(error: Any) -> float | None:
    """The row's absolute tolerance: a number, or the finest of several (`1e-1,1e-2`)."""
    if error in (None, ""):
        return None
    try:
        return min(float(part) for part in str(error).split(",") if part.strip())
    except ValueError:
        raise RowFault("error", f"must be a tolerance, not {_short(error)}") from None


def gpqa(row: Row, position: int, seed: int) -> Task:
    """GPQA: the right option among three wrong ones, in an order that the seed and the row's id fix."""
    name = str(row.get("Record ID") or position)
    options = [text(row, "Correct Answer")]
    options += [text(row, f"Incorrect Answer {i}") for i in (1, 2, 3)]
    order = generator("choice-order", seed, name).permutation(len(options))
    listed = "\n".join(f"{letter}) {options[i].strip()}" for letter, i in zip(LETTERS, order, strict=False))
    return _task(
        f"gpqa-{name}",
        f"{text(row, 'Question').strip()}\n\n{listed}",
        LETTERS[int((order == 0).argmax())],
        domain="choice",
        answer_spec=AnswerSpec(type="choice"),
        tags=_tags({"subject": row.get("High-level domain")}, "subject"),
    )


def humaneval(row: Row, position: int, seed: int) -> Task:
    """HumanEval: complete the function. The prompt stands before the program when it is judged, so that a
    program may be the body alone or repeat the whole function."""
    prompt = text(row, "prompt")
    answer = {"entry_point": text(row, "entry_point"), "tests": text(row, "test"), "prelude": prompt}
    return _program(text(row, "task_id"), prompt, answer, text(row, "canonical_solution"))


def mbpp(row: Row, position: int, seed: int) -> Task | None:
    """MBPP: the 500 problems of its test split (ids 11 to 510), tests in the prompt as is usual."""
    number = row.get("task_id")
    if not isinstance(number, int):
        raise RowFault("task_id", f"must be an integer, not {_short(number)}")
    if not 11 <= number <= 510:
        return None
    tests = row.get("test_list")
    if not isinstance(tests, list) or not all(isinstance(t, str) for t in tests) or not tests:
        raise RowFault("test_list", f"must be a list of texts, not {_short(tests)}")
    problem = text(row, "text") + "\nYour code should pass these tests:\n" + "\n".join(tests)
    solution = text(row, "code")
    # The function that is asked for: the one of the solution's that the first test calls.
    named = [n for n in _FUNCTION.findall(solution) if re.search(rf"\b{n}\s*\(", tests[0])]
    if not named:
        raise RowFault("code", "defines no function that the first test calls")
    answer = {"entry_point": named[0], "tests": "\n".join(tests), "setup": row.get("test_setup_code") or ""}
    return _program(f"mbpp-{number}", problem, answer, solution)


def _program(identity: str, problem: str, answer: Mapping[str, Any], solution: str) -> Task:
    return _task(
        identity,
        problem,
        {"kind": "asserts", **answer},
        domain="code",
        answer_spec=AnswerSpec(type="program"),
        meta={"solution": solution},
    )


def _last_box(solution: str) -> str:
    """The last balanced `\\boxed{}` of a solution; raises RowFault if there is none."""
    starts = [match.end() for match in _BOX.finditer(solution)]
    for start in reversed(starts):
        depth = 1
        for i in range(start, len(solution)):
            depth += (solution[i] == "{") - (solution[i] == "}")
            if depth == 0:
                return solution[start:i]
    raise RowFault("solution", "holds no balanced \\boxed{}, and there is no field 'answer'")


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
