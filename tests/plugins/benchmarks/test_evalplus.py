"""HumanEval+ and MBPP+: test programs as data, special oracles, and real programs in a sandbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks import evalplus
from harness_benchmarks.benchmark import CatalogueBenchmark
from harness_benchmarks.catalogue import ENTRIES
from harness_benchmarks.options import BenchmarkOptions
from harness_code import cases, judge, oracles
from harness_code.checking import refuse_unfit
from harness_code.results import TestResult
from harness_tasks.rows import RowFault
from hypothesis import given
from hypothesis import strategies as st

from harness.contract import Task, decode, encode
from tests.support import builders
from tests.support.hub import data_set, serving
from tests.support.sandboxes import contained, sandbox

HEAD = """import numpy as np
from math import inf

def is_floats(x) -> bool:
    return isinstance(x, float)


def assertion(out, exp, atol):
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if out != exp and atol != 0:
        assert np.allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert out == exp
"""


def human(name: str, inputs: str, results: str, loop: str = "assertion(candidate(*inp), exp, 0)") -> str:
    return (
        f"{HEAD}\n\ndef check(candidate):\n    inputs = {inputs}\n    results = {results}\n"
        f"    for i, (inp, exp) in enumerate(zip(inputs, results)):\n        {loop}\n\ncheck({name})"
    )


def mbpp(name: str, inputs: str, results: str, atol: str = "0") -> str:
    return (
        f"{HEAD}\n\ninputs = {inputs}\nresults = {results}\n"
        f"for i, (inp, exp) in enumerate(zip(inputs, results)):\n    assertion({name}(*inp), exp, {atol})\n"
    )


HUMAN: list[dict[str, object]] = [
    {
        "task_id": "HumanEval/900", "entry_point": "halves",
        "prompt": "def halves(pair):\n    \"\"\"Halve both.\"\"\"\n",
        "canonical_solution": "    return tuple(x / 2 for x in pair)\n",
        "test": human("halves", "[[(1, 3)], [(0, inf)]]", "[(0.5, 1.5), (0.0, inf)]"),
    },
    {
        "task_id": "HumanEval/901", "entry_point": "find_zero",
        "prompt": "import math\n\ndef find_zero(xs):\n    \"\"\"A root.\"\"\"\n",
        "canonical_solution": "    return -xs[0] / xs[1] if len(xs) == 2 else 1.0\n",
        "test": human("find_zero", "[[[1, 2]], [[-6, 11, -6, 1]]]", "[-0.5, 1.0]",
                      "assert _poly(*candidate(*inp), inp) <= 0.0001"),
    },
    {
        "task_id": "HumanEval/902", "entry_point": "tri",
        "prompt": "def tri(n):\n    \"\"\"Thirds.\"\"\"\n",
        "canonical_solution": "    return [i / 3 for i in range(n)]\n",
        "test": f"{HEAD}\n\ndef ref_func(n):\n    return [i / 3 for i in range(n)]\n\ndef check(candidate):\n"
                "    inputs = [[3], [40]]\n    for i, inp in enumerate(inputs):\n"
                "        assertion(candidate(*inp), ref_func(*inp), 0)\n\ncheck(tri)",
    },
]  # fmt: skip


def mbpp_row(number: int, code: str, first: str, test: str) -> dict[str, object]:
    return {"task_id": number, "prompt": "Write it.", "code": code, "source_file": "x", "test_imports": [],
            "test_list": [first], "test": test}  # fmt: skip


MBPP = [
    mbpp_row(2, "def similar_elements(a, b):\n    return tuple(set(a) & set(b))",
             "assert set(similar_elements((1, 2), (2,))) == {2}",
             mbpp("similar_elements", "[[(1, 2, 3), (2, 3)]]", "[(2, 3)]")),
    mbpp_row(295, "def sum_div(n):\n    return sum(i for i in range(1, n) if n % i == 0)",
             "assert sum_div(8) == 7", mbpp("sum_div", "[[8], [7]]", "[7, 1]")),
    mbpp_row(581, "def surface_Area(b, s):\n    return 2 * b * s + b * b", "assert surface_Area(3, 4) == 33",
             mbpp("surface_Area", "[[3, 4], [1, 2]]", "[33, 5]")),
    mbpp_row(244, "def check_str(s):\n    import re\n    return re.match('[aeiou]', s)",
             "assert check_str('a')", mbpp("check_str", "[['a'], ['b']]", "[True, False]")),
    mbpp_row(164, "def are_equivalent(a, b):\n    return True", "assert are_equivalent(1, 1) == True",
             mbpp("are_equivalent", "[[36, 57]]", "[False]")),
    mbpp_row(82, "def volume(r):\n    return 4 / 3 * 3.14 * r ** 3", "assert volume(1)",
             mbpp("volume", "[[1]]", "[4.19]", "0.01")),
]  # fmt: skip


@pytest.fixture(scope="module")
def pool() -> Iterator[Any]:
    with sandbox(contained(), slots=1, memory_mb=1024) as made:
        yield made


def human_task(at: int) -> Task:
    return evalplus.humaneval_plus(HUMAN[at], at, 0)


def mbpp_task(number: int) -> Task:
    return evalplus.mbpp_plus(next(row for row in MBPP if row["task_id"] == number), 0, 0)


def results(pool: Any, task: Task, program: str) -> list[TestResult]:
    answer = cases.parse(task.answer)
    refuse_unfit(answer, where=task.id)
    return asyncio.run(judge.judge(program, answer, pool, stop_at_failure=False))


@pytest.mark.parametrize(
    "task", [*map(human_task, range(3)), *(mbpp_task(int(str(row["task_id"]))) for row in MBPP)],
    ids=lambda t: t.id,
)  # fmt: skip
def test_each_reference_solution_passes_and_nothing_does_not(pool: Any, task: Task) -> None:
    assert decode(encode(task), Task) == task
    assert all(r.passed for r in results(pool, task, task.meta["solution"])), task.id
    name = task.answer["entry_point"]
    wrong = results(pool, task, f"def {name}(*given):\n    raise ValueError")
    assert not any(r.passed for r in wrong)


@pytest.mark.parametrize(
    ("task", "program", "passed"),
    [
        # A list is no tuple, and floats have 1e-6.
        (human_task(0), "def halves(p): return [x / 2 for x in p]", [False, False]),
        (human_task(0), "def halves(p): return tuple(x / 2 + 1e-9 for x in p)", [True, True]),
        (human_task(0), "def halves(p): return tuple(x / 2 + 1e-4 for x in p)", [False, False]),
        # Any root, not the reference's alone.
        (human_task(1), "def find_zero(xs): return -0.5 if len(xs) == 2 else 3.0", [True, True]),
        (human_task(1), "def find_zero(xs): return 2.5", [False, False]),
        (human_task(2), "def tri(n): return [i / 3 for i in range(n + 1)]", [False]),
        # Order and number do not matter where EvalPlus compares sets.
        (mbpp_task(2), "def similar_elements(a, b): return [3, 2, 2]", [True]),
        (mbpp_task(2), "def similar_elements(a, b): return [3]", [False]),
        (mbpp_task(295), "def sum_div(n): return 0", [True, True]),
        (mbpp_task(581), "def surface_Area(b, h): return round(b * b + 2 * b * ((b / 2) ** 2 + h * h) ** .5)",
         [True, True]),
        (mbpp_task(581), "def surface_Area(b, h): return 7", [False, False]),
        (mbpp_task(244), "def check_str(s): return 0 if s == 'a' else None", [True, True]),
        (mbpp_task(244), "def check_str(s): return True", [True, False]),
        (mbpp_task(164), "def are_equivalent(a, b): return 'x'", [True]),
        (mbpp_task(82), "def volume(r): return 4.195", [True]),
        (mbpp_task(82), "def volume(r): return 4.25", [False]),
    ],
)  # fmt: skip
def test_a_value_is_right_by_the_problems_oracle(
    pool: Any, task: Task, program: str, passed: list[bool]
) -> None:
    assert [r.passed for r in results(pool, task, program)] == passed


@given(st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.lists(st.floats(allow_nan=False))))
def test_every_value_is_itself_and_no_other_type(value: Any) -> None:
    assert oracles.plus(value, value) is None
    assert oracles.plus([value], (value,)) is not None
    assert oracles.one_of(value, [value, "other"]) is None


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("def check(candidate):\n    assert candidate(1) == 2", "inputs"),
        (human("f", "[[1]]", "[1, 2]"), "one length"),
        (human("f", "[]", "[]"), "empty"),
        (human("f", "[[open('x')]]", "[1]"), "no constant"),
        (human("f", "[[1]]", "[1]", "pass"), "assertion"),
        ("def check(:", "does not parse"),
    ],
)
def test_a_test_program_of_another_layout_is_refused_by_field(test: str, said: str) -> None:
    with pytest.raises(RowFault, match=said) as caught:
        evalplus.humaneval_plus({**HUMAN[0], "test": test}, 0, 0)
    assert caught.value.field == "test"


@pytest.mark.parametrize(("name", "rows"), [("humaneval-plus", HUMAN), ("mbpp-plus", MBPP)])
def test_both_come_from_the_hub(
    name: str, rows: list[dict[str, object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets")
    entry = replace(ENTRIES[name], name="own", problems=(len(rows),))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with serving({entry.repo: data_set("test", rows, commit="f" * 40)}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        made = CatalogueBenchmark(entry, BenchmarkOptions(), builders.context(cache=tmp_path / "cache"))
    assert len(made.tasks()) == len(rows)
    assert made.origin["revision"] == "f" * 40
    json.dumps(made.origin)
