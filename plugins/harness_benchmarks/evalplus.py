"""HumanEval+ and MBPP+ as the Hub has them: the problems of HumanEval and MBPP with many more tests."""

from __future__ import annotations

import re

from harness_tasks.rows import RowFault

from harness.contract import AnswerSpec, DataError, Message, Task
from harness_benchmarks.readers import Row, text

_FUNCTION = re.compile(r"^def (\w+)", re.MULTILINE)


def humaneval_plus(row: Row, position: int, seed: int) -> Task:
    """HumanEval+ (evalplus/humanevalplus): complete the function, asked as HumanEval is."""
    prompt = text(row, "prompt")
    return _task(text(row, "task_id"), prompt, row, text(row, "entry_point"), prompt,
                 prompt + text(row, "canonical_solution"))  # fmt: skip


def mbpp_plus(row: Row, position: int, seed: int) -> Task:
    """MBPP+ (evalplus/mbppplus): asked with MBPP's own tests, judged by EvalPlus's."""
    number = row.get("task_id")
    if not isinstance(number, int):
        raise RowFault("task_id", f"must be an integer, not {number!r:.60}")
    tests = row.get("test_list")
    if not isinstance(tests, list) or not tests or not all(isinstance(t, str) for t in tests):
        raise RowFault("test_list", f"must be a list of texts, not {tests!r:.60}")
    solution = text(row, "code")
    named = [n for n in _FUNCTION.findall(solution) if re.search(rf"\b{n}\s*\(", tests[0])]
    if not named:
        raise RowFault("code", "defines no function that the first test calls")
    problem = text(row, "prompt") + "\nYour code should pass these tests:\n" + "\n".join(tests)
    return _task(f"mbpp-{number}", problem, row, named[0], "", solution, mbpp=True)


def _task(
    identity: str,
    problem: str,
    row: Row,
    entry_point: str,
    prelude: str,
    solution: str,
    *,
    mbpp: bool = False,
) -> Task:
    from harness_code.plus import answer_of

    try:
        answer = answer_of(text(row, "test"), entry_point, mbpp=mbpp, prelude=prelude)
    except DataError as error:
        raise RowFault("test", error.what) from None
    return Task(
        id=identity,
        prompt=(Message("user", problem),),
        verifier="",
        answer=answer,
        domain="code",
        answer_spec=AnswerSpec(type="program"),
        meta={"solution": solution},
    )
