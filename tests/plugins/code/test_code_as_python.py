"""What CPython says of a program and its tests is what the verifier says: each case is run both ways."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from harness.contract.records import Message, Task
from tests.plugins.code.test_code_verifier import options, rollout
from tests.support.sandboxes import build_context

SORTS = "def f(x):\n    x.sort()\n"
COPIES = "def f(x):\n    x = sorted(x)\n"
RAISES = "def f(x):\n    if x < 0:\n        raise ValueError('neg')\n    return x\n"
OTHER = "def f(x):\n    if x < 0:\n        raise KeyError('neg')\n    return x\n"
SILENT = "def f(x):\n    return x\n"
OWN = "class Bad(ValueError):\n    pass\ndef f(x):\n    if x < 0:\n        raise Bad(x)\n    return x\n"

#: Tests and programs; who is right needs no word here, since CPython says it.
PAIRS = [
    (tests, program)
    for tests, programs in {
        # Arguments changed in place.
        "x = [3, 1]\nf(x)\nassert x == [1, 3]\n": (SORTS, COPIES),
        "x = [3, 1]\nassert f(x) is None\nassert x == [1, 3]\n": (SORTS, COPIES),
        "x = [3, 1]\nassert f(x) is x\n": (SORTS + "    return x\n", COPIES + "    return x\n"),
        "x = {1: 2}\nf(x)\nassert x == {1: 2, 3: 4}\n": ("def f(x):\n    x[3] = 4\n", SILENT),
        "x = {1, 2}\nf(x)\nassert x == {2}\n": ("def f(x):\n    x.discard(1)\n", SILENT),
        "x = [[1, 2], [3, 4]]\nrow = x[0]\nf(x)\nassert row == [2, 1]\n": (
            "def f(x):\n    x[0].reverse()\n",
            SILENT,
        ),
        "x = ([1],)\nf(x)\nassert x == ([],)\n": ("def f(x):\n    x[0].clear()\n", SILENT),
        "x = [1, 2, 3]\nn = f(x)\nassert x[:n] == [1, 2]\n": (
            "def f(x):\n    x.pop()\n    return len(x)\n",
            "def f(x):\n    return 1\n",
        ),
        "x = []\nfor n in range(3):\n    f(x)\nassert len(x) == 3\n": (
            "def f(x):\n    x.append(0)\n",
            SILENT,
        ),
        "x = [1]\nassert f(x) == 1\nassert f(x) == 2\n": (
            "def f(x):\n    x.append(0)\n    return len(x) - 1\n",
            "def f(x):\n    return len(x)\n",
        ),
        "x = [3, 1]\ny = x\nf(x)\nassert y == [1, 3]\n": (SORTS, COPIES),
        # Exceptions that are expected.
        "try:\n    f(-1)\n    assert False\nexcept ValueError:\n    pass\n": (RAISES, OTHER, SILENT, OWN),
        "try:\n    f(-1)\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError\n": (RAISES, SILENT),
        "ok = False\ntry:\n    f(-1)\nexcept ValueError:\n    ok = True\nassert ok\n": (
            RAISES,
            OTHER,
            SILENT,
        ),
        "try:\n    f(-1)\nexcept Exception as e:\n    assert str(e) == 'neg'\nelse:\n    assert False\n": (
            RAISES,
            OTHER,
            SILENT,
        ),
        "try:\n    f(-1)\n    assert False\nexcept (KeyError, ValueError):\n    pass\n": (
            RAISES,
            OTHER,
            SILENT,
        ),
        "try:\n    f(-1)\n    assert False\nexcept LookupError:\n    pass\n": (RAISES, OTHER),
        "try:\n    f(-1)\n    raise KeyError\nexcept ValueError as e:\n    assert e.args == (-1,)\n": (
            OWN,
            RAISES,
        ),
        "from contextlib import suppress\nwith suppress(ValueError):\n    f(-1)\nassert f(1) == 1": (
            RAISES,
            SILENT,
        ),
        "def bad(n):\n    try:\n        f(n)\n    except ValueError:\n        return True\n    return False\n"
        "assert bad(-1) and not bad(1)\n": (RAISES, OTHER, SILENT, OWN),
        "try:\n    f(0)\n    assert False\nexcept ZeroDivisionError:\n    pass\n": (
            "def f(x):\n    return 1 / x\n",
            SILENT,
        ),
        "try:\n    f('x')\n    assert False\nexcept UnicodeDecodeError:\n    pass\n": (
            "def f(x):\n    return b'\\xff'.decode()\n",
            SILENT,
        ),
        # Values.
        "assert f(1) == {1: 'a', 2: 'b'}\n": (
            "def f(x):\n    return {1: 'a', 2: 'b'}\n",
            "def f(x):\n    return {'1': 'a', '2': 'b'}\n",
        ),
        "assert f(3) == 10 ** 5000\n": (
            "def f(x):\n    return 10 ** 5000\n",
            "def f(x):\n    return 10 ** 5001\n",
        ),
        "assert f(3) == 1.5\n": ("def f(x):\n    return 10 ** 400\n", "def f(x):\n    return 1.5\n"),
        "assert abs(f(3) - 1.5) < 1e-6\n": (
            "def f(x):\n    return 10 ** 400\n",
            "def f(x):\n    return 1.5\n",
        ),
        "assert f(3) in (4, 5)\n": ("def f(x):\n    return [4]\n", "def f(x):\n    return 4\n"),
        "assert f(3) > 3\n": ("def f(x):\n    return 'x'\n", "def f(x):\n    return 4.0\n"),
        "for n in range(4):\n    assert f(n) == n * n\n": (
            "def f(x):\n    return x ** 2\n",
            "def f(x):\n    return x\n",
        ),
    }.items()
    for program in programs
]


@pytest.fixture(scope="module")
def verifier() -> Iterator[Any]:
    made = build_context().build("verifiers", "code", options(run="all_tests"))
    made.open()
    yield made
    made.close()


def _status(verifier: Any, answer: dict[str, Any], text: str) -> str:
    task = Task(id="t", prompt=(Message("user", "?"),), verifier="code", answer=answer, domain="code")
    return str(verifier.verify(task, rollout(text)).status)


def _python(source: str, folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    path = folder / "program.py"
    path.write_text(source, encoding="utf-8")
    return subprocess.run([sys.executable, path], input=stdin, capture_output=True, encoding="utf-8")


@pytest.mark.parametrize(("tests", "program"), PAIRS)
def test_asserts_say_what_python_says(verifier: Any, tmp_path: Path, tests: str, program: str) -> None:
    right = _python(f"{program}\n{tests}", tmp_path).returncode == 0
    answer = {"kind": "asserts", "entry_point": "f", "tests": tests}
    assert _status(verifier, answer, f"```python\n{program}```") == ("pass" if right else "fail")


@pytest.mark.parametrize(
    ("tests", "name"),
    [
        ("from collections import deque\nx = deque([1, 2])\nf(x)\nassert list(x) == [2, 1]\n", "deque"),
        ("class N:\n    pass\nn = N()\nr = f(n)\nassert r is n\n", "N"),
        ("class N:\n    pass\nn = [{1: (N(),)}]\nr = f(n)\nassert r == n\n", "N"),
        ("g = lambda x: x\nr = f(g)\nassert r(1) == 1\n", "function"),
    ],
)
def test_tests_that_ask_with_values_of_their_own_are_at_fault(verifier: Any, tests: str, name: str) -> None:
    """No program can be right or wrong there; it is no failure of the program's."""
    answer = {"kind": "asserts", "entry_point": "f", "tests": tests}
    for program in (SILENT, "def f(x):\n    x.reverse()\n", "def f(x):\n    raise KeyError\n"):
        task = Task(id="t", prompt=(Message("user", "?"),), verifier="code", answer=answer, domain="code")
        verdict = verifier.verify(task, rollout(f"```python\n{program}```"))
        assert verdict.status == "infra_error"
        assert name in verdict.reason


def test_a_program_cannot_say_that_the_tests_are_at_fault(verifier: Any) -> None:
    answer = {"kind": "asserts", "entry_point": "f", "tests": "x = [1]\nr = f(x)\nassert f(r) == 1\n"}
    for program in ("class N:\n    pass\ndef f(x):\n    return N()\n", "def f(x):\n    return f\n"):
        assert _status(verifier, answer, f"```python\n{program}```") == "fail"


PROGRAM = "a, b = map(int, input().split())\nif a:\n\n    print(a + b)\n"
SUM = {"kind": "stdio", "tests": [{"input": "3 4\n", "output": "7\n"}]}


def _indented(program: str, by: str) -> str:
    return "".join(f"{by}{line}\n" if line else "\n" for line in program.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        f"1. The program:\n\n   ```python\n{_indented(PROGRAM, '   ')}   ```\n",
        f"1. The program:\n\n    ```python\n{_indented(PROGRAM, '    ')}    ```\n",
        f"1. The program:\n   ```python\n{_indented(PROGRAM, '   ')}   ```\n2. Done.\n",
        f"10. The program:\n\n    ```python\n{_indented(PROGRAM, '    ')}    ```\n",
        f"- The program:\n\n  ```python\n{_indented(PROGRAM, '  ')}  ```\n",
        f"- The program:\n\n\t```python\n{_indented(PROGRAM, chr(9))}\t```\n",
        f"* A\n  * B:\n\n    ```python\n{_indented(PROGRAM, '    ')}    ```\n",
        f"* A\n  1. B:\n\n     ~~~python\n{_indented(PROGRAM, '     ')}     ~~~\n",
        f"- ```python\n{_indented(PROGRAM, '  ')}  ```\n",
        "> The program:\n>\n> ```python\n" + "".join(f"> {li}\n" for li in PROGRAM.splitlines()) + "> ```\n",
        f"1. First `x`.\n\n   ```python\n   print(0)\n   ```\n\n2. Then:\n\n   ```python\n"
        f"{_indented(PROGRAM, '   ')}   ```\n",
        f"1. The program, not indented as the item is:\n   ```python\n{PROGRAM}   ```\n",
        f"<think>\n```python\nprint(0)\n```\n</think>\n```python\n{PROGRAM}```",
        f"<details>\n```python\n{PROGRAM}```\n</details>\n",
        f"   ```python\n{PROGRAM}   ```",
        f"`````python\n{PROGRAM}`````\n",
        f"```python\r\n{PROGRAM.replace(chr(10), chr(13) + chr(10))}```\r\n",
    ],
)
def test_a_program_is_found_where_commonmark_sees_it(verifier: Any, tmp_path: Path, text: str) -> None:
    assert _python(PROGRAM, tmp_path, "3 4\n").stdout == "7\n"
    assert _status(verifier, SUM, text) == "pass"
    blocks = [token.content for token in MarkdownIt("commonmark").parse(text) if token.type == "fence"]
    # HTML hides a fence from CommonMark, and one that is indented more than its program spoils it.
    assert PROGRAM in blocks or "<" in text or f"   ```python\n{PROGRAM}" in text


@pytest.mark.parametrize(
    "character", ["\u2028", "\u2029", "\x85", "\x0c", "\x0b", "\x1c", "\x1d", "\x1e", "\u00a0", "\u3000"]
)
@pytest.mark.parametrize(
    "line", ["s = 'x{0}y'", "x = 1  # a{0}b", '"""x{0}y"""', "s = ['{0}', f'{0}']", "s = '''\n{0}\n'''"]
)
def test_only_line_ends_end_a_line(verifier: Any, tmp_path: Path, character: str, line: str) -> None:
    program = f"{line.format(character)}\na, b = map(int, input().split())\nprint(a + b)\n"
    assert _python(program, tmp_path, "3 4\n").stdout == "7\n"
    assert _status(verifier, SUM, f"```python\n{program}```") == "pass"


@pytest.mark.parametrize(
    ("program", "expected", "status"),
    [
        ("print('x' * 1_200_000)", "x" * 1_200_000 + "\n", "pass"),
        ("print('x' * 1_048_575)", "x" * 1_048_575 + "\n", "pass"),
        ("print('\u20ac' * 900_000)", "\u20ac" * 900_000 + "\n", "pass"),
        ("for i in range(300_000): print(i)", "\n".join(map(str, range(300_000))), "pass"),
        ("print(' '.join(['1'] * 1_000_000))", "1 " * 1_000_000, "pass"),
        ("print('x' * 1_200_001)", "x" * 1_200_000 + "\n", "fail"),
        ("print('x' * 8_000_000)", "x" * 1_200_000 + "\n", "fail"),
        ("print('x' * 1_200_000)", "x\n", "fail"),
        ("print(10 ** 4999)", "1" + "0" * 4999 + "\n", "pass"),
        ("print(10 ** 49_998)", "1" + "0" * 49_998 + "\n", "pass"),
        ("print(int('9' * 9000) % 7)", "0\n", "pass"),
        ("print(len(str(2 ** 20_000)))", "6021\n", "pass"),
    ],
)
def test_what_is_right_has_room(verifier: Any, program: str, expected: str, status: str) -> None:
    answer = {"kind": "stdio", "tests": [{"input": "1\n", "output": expected}]}
    assert _status(verifier, answer, f"```python\n{program}\n```") == status


@pytest.mark.parametrize("size", [8 << 20, 9 << 20])
def test_a_right_value_has_room(verifier: Any, size: int) -> None:
    tests = [{"args": [size], "expected": "x" * size}]
    answer = {"kind": "functional", "entry_point": "f", "tests": tests}
    assert _status(verifier, answer, "```python\ndef f(n):\n    return 'x' * n\n```") == "pass"
    assert _status(verifier, answer, "```python\ndef f(n):\n    return 'x' * (8 * n)\n```") == "fail"
