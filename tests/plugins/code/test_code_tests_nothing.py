"""A code task that tests nothing would reward every program: it is refused, and nothing counts as a pass
of which no test ran."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from harness_code import counting
from harness_code.verifier import summary

from harness.contract.errors import DataError
from harness.contract.records import Message, Task, Verdict
from tests.plugins.code.test_code_verifier import options, rollout
from tests.support.sandboxes import build_context

CALLED = "def test_one():\n    assert f(3) == 4\n"


def task(answer: dict[str, Any]) -> Task:
    return Task(id="t", prompt=(Message("user", "?"),), verifier="code", answer=answer, domain="code")


def asserts(tests: str, **more: str) -> dict[str, Any]:
    return {"kind": "asserts", "entry_point": "f", "tests": tests, **more}


@pytest.fixture(scope="module")
def verifier() -> Iterator[Any]:
    made = build_context().build("verifiers", "code", options(run="all_tests"))
    made.open()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"kind": "stdio", "tests": []}, "has no tests"),
        ({"kind": "stdio", "tests": [{"input": "1", "output": " \n"}]}, "expects no output"),
        ({"kind": "functional", "entry_point": "f", "tests": []}, "has no tests"),
        (asserts(""), "no assertion runs"),
        (asserts("pass"), "no assertion runs"),
        (asserts("# assert f(3) == 4\n"), "no assertion runs"),
        (asserts("'''assert f(3) == 4'''"), "no assertion runs"),
        (asserts("print(f(3) == 4)"), "no assertion runs"),
        (asserts("f(3) == 4"), "no assertion runs"),
        (asserts(CALLED), "nothing calls test_one"),
        (asserts("import pytest\n" + CALLED), "nothing calls test_one"),
        (asserts("class TestF:\n    def test_one(self):\n        assert f(3) == 4\n"), "calls test_one"),
        (asserts("import unittest\nclass T(unittest.TestCase):\n    def test_one(self):\n"
                 "        self.assertEqual(f(3), 4)\n"), "nothing calls test_one"),
        (asserts("def check(candidate):\n    pass\n"), "no assertion runs"),
        (asserts("def check(candidate):\n    candidate(3)\n"), "no assertion runs"),
        (asserts("assert True"), "no assertion runs"),
        (asserts("assert 4 == 4"), "no assertion runs"),
        (asserts("assert (f(3) == 4, 'wrong')"), "no assertion runs"),
        (asserts("assert f(3) == 4 or True"), "no assertion runs"),
        (asserts("if False:\n    assert f(3) == 4\n"), "no assertion runs"),
        (asserts("try:\n    assert f(3) == 4\nexcept Exception:\n    pass\n"), "no assertion runs"),
        (asserts("try:\n    assert f(3) == 4\nexcept:\n    print('no')\n"), "no assertion runs"),
        (asserts("x = 3\nfor i in range(2):\n    assert x == 3\n"), "never ask 'f'"),
        (asserts("assert f(3 == 4"), "do not parse"),
    ],
)  # fmt: skip
def test_what_tests_nothing_is_refused(verifier: Any, answer: dict[str, Any], why: str) -> None:
    with pytest.raises(DataError, match=why):
        verifier.verify(task(answer), rollout("```python\nx = 1\n```"))


@pytest.mark.parametrize(
    "tests",
    [
        "assert f(3) == 4",
        "assert 4 == f(3), 'message'",
        "for n in range(3):\n    assert f(n) == n + 1\n",
        "if f(3) != 4:\n    raise ValueError\n",
        "def same(a, b):\n    assert a == b\nsame(f(3), 4)\n",
        "from numpy.testing import assert_allclose\nassert_allclose(f(3), 4)\n",
        CALLED + "test_one()\n",
        CALLED + "for test in (test_one,):\n    test()\n",
        "def check(candidate):\n    for n in range(3):\n        assert candidate(n) == n + 1\n",
        "class TestF:\n    def test_one(self):\n        assert f(3) == 4\nTestF().test_one()\n",
        "try:\n    f(-1)\n    assert False\nexcept ValueError:\n    pass\n",
        "try:\n    f(-1)\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError\n",
        "import pytest\nwith pytest.raises(ValueError, match='neg'):\n    f(-1)\n",
        "while True:\n    assert f(1) == 2\n    break\n",
    ],
)
def test_what_can_fail_a_program_is_taken(tests: str) -> None:
    source = "f = __solution__['f']\n" + tests + ("check(f)\n" if "candidate" in tests else "")
    assert counting.counting(source, "f").places >= 1


def _verdict(verifier: Any, tests: str, program: str) -> Verdict:
    verdict: Verdict = verifier.verify(task(asserts(tests)), rollout(f"```python\n{program}\n```"))
    return verdict


def test_assertions_that_ran_are_counted(verifier: Any) -> None:
    verdict = _verdict(
        verifier, "for n in range(3):\n    assert f(n) == n + 1\n", "def f(n):\n    return n + 1"
    )
    assert verdict.status == "pass"
    assert dict(verdict.parts) == {"asserted": 3.0, "pass": 1.0, "weak": 1.0}


@pytest.mark.parametrize(
    ("tests", "program"),
    [
        ("for x in f(3):\n    assert x > 0\n", "def f(n):\n    return []"),
        ("value = f(3)\nif value is not None:\n    assert value == 4\n", "def f(n):\n    pass"),
        ("while f(0):\n    assert f(3) == 4\n", "def f(n):\n    return 0"),
        ("assert callable(f)", "x = 1"),
        ("y = 1\nassert f and y", "def f(n):\n    return 4"),
    ],
)
def test_a_program_of_which_no_assertion_ran_is_no_pass(verifier: Any, tests: str, program: str) -> None:
    verdict = _verdict(verifier, tests, program)
    assert (verdict.status, verdict.score) == ("fail", 0.0)
    assert "no assertion ran" in verdict.reason


def test_no_results_are_no_pass() -> None:
    assert summary([], 0) == ("fail", 0.0, "no test ran")
