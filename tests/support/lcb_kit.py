"""Programs on which LiveCodeBench's two graders are held, and data in the data set's own layout."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Test = tuple[str, str]
SUM: tuple[Test, ...] = (("1 2\n", "3\n"), ("4 5\n", "9\n"))


@dataclass(frozen=True)
class Oddity:
    """A program, and who passes it: the strict grader, the published harness."""

    name: str
    program: str
    tests: tuple[Test, ...]
    strict: bool
    published: bool
    entry_point: str | None = None


def _stdin(name: str, program: str, strict: bool, published: bool, tests: Sequence[Test] = SUM) -> Oddity:
    return Oddity(name, program, tuple(tests), strict, published)


def _call(
    name: str, program: str, strict: bool, published: bool, tests: Sequence[Test], entry_point: str = "f"
) -> Oddity:
    return Oddity(name, program, tuple(tests), strict, published, entry_point)


ADD = "a, b = map(int, input().split())\nprint(a + b)\n"
METHOD = "class Solution:\n    def f(self, x):\n"

ODDITIES = (
    _stdin("plain", ADD, True, True),
    _stdin("wrong", ADD.replace("a + b", "a * b"), False, False),
    _stdin("guarded main", f"def main():\n    {ADD.replace(chr(10), chr(10) + '    ').rstrip()}\n"
           "if __name__ == '__main__':\n    main()\n", True, True),
    # Integers of more digits than Python writes by itself; the published harness allows 50,000.
    _stdin("prints a long integer", "n = int(input())\nprint(10 ** (n - 1))", True, True,
           [("5000\n", "1" + "0" * 4999 + "\n")]),
    _stdin("reads a long integer", "print(int(input()) % 7)", True, True, [("9" * 6000 + "\n", "0\n")]),
    _stdin("one digit too many", "print(10 ** int(input()))", False, False, [("50000\n", "1" + "0" * 50000)]),
    _call("str of a long integer", METHOD + "        return len(str(10 ** x))", True, True, [("5000", "5001")]),
    _call("a long integer as value", METHOD + "        return 10 ** x", True, True,
          [("5000", "1" + "0" * 5000)]),
    _call("a long integer as argument", METHOD + "        return x % 7", True, True, [("9" * 6000, "0")]),
    # What the mocks of stdin break, or let through.
    _stdin("open(0)", "print(sum(map(int, open(0).read().split())))", True, False),
    _stdin("for line in stdin", "import sys\nfor line in sys.stdin:\n    print(sum(map(int, line.split())))",
           True, False),
    _stdin("from sys import stdin", "from sys import stdin\nprint(sum(map(int, stdin.readline().split())))",
           True, True),
    _stdin("stdin.read", "import sys\nprint(sum(map(int, sys.stdin.read().split())))", True, True),
    _stdin("stdin.buffer.read", "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))", True, True),
    _stdin("stdin.buffer lines", "import sys\nr = sys.stdin.buffer.readline\nr()\nprint(int(r()))",
           True, False, [("1\n2\n", "2\n")]),
    _stdin("reading twice", "import sys\nsys.stdin.read()\nprint(len(sys.stdin.read()))",
           False, True, [("1 2\n", "4\n")]),
    _stdin("an empty line", "input()\nprint(input())", True, True, [("\nx\n", "x\n")]),
    _stdin("lines keep their ends", "import sys\nprint(len(sys.stdin.readline()))", True, True, [("ab\n", "3\n")]),
    _stdin("readlines", "import sys\nprint(len(sys.stdin.readlines()))", True, False, [("a\nb\n", "2\n")]),
    _stdin("to the end", "n = 0\ntry:\n    while True:\n        n += int(input())\nexcept EOFError:\n    print(n)",
           True, True, [("1\n2\n3\n", "6\n")]),
    _stdin("iter of readline", "import sys\nprint(sum(map(int, iter(sys.stdin.readline, ''))))", True, True,
           [("1\n2\n3", "6\n")]),
    _stdin("a path of stdin", "print(open('/dev/stdin').read().strip())", True, False, [("7\n", "7\n")]),
    _stdin("os.read", "import os\nprint(sum(map(int, os.read(0, 99).split())))", True, False),
    # How a program is held.
    _stdin("exit(1) after the answer", ADD + "exit(1)", False, True),
    _stdin("exit() after the answer", ADD + "exit()", True, True),
    _stdin("quit()", ADD + "quit()", True, False),
    _stdin("a future import", "from __future__ import annotations\n" + ADD, True, False),
    _stdin("a class named Solution",
           "class Solution:\n    def add(self, a, b):\n        return a + b\n"
           "print(Solution().add(*map(int, input().split())))", True, False),
    _stdin("a global of a function",
           "total = 0\ndef add(x):\n    global total\n    total += x\n"
           "for x in input().split():\n    add(int(x))\nprint(total)", True, False),
    _stdin("write to stdout's buffer",
           "import sys\nsys.stdout.buffer.write(b'%d\\n' % sum(map(int, input().split())))", True, False),
    _stdin("closing stdout", "import sys\n" + ADD + "sys.stdout.flush()\nsys.stdout.close()", True, False),
    _stdin("import resource", "import resource\n" + ADD, True, False),
    _stdin("deep recursion", "def f(n):\n    return n and 1 + f(n - 1)\nprint(f(20000))", True, True,
           [("", "20000\n")]),
    _stdin("names without imports", "print(gcd(*map(int, input().split())), deque([1]).pop())", True, True,
           [("4 6\n", "2 1\n")]),
    _stdin("bytes that are no text", "import os\nprint(3, flush=True)\nos.write(1, b'\\xff')", False, True,
           [("", "3\n")]),
    _stdin("a syntax error", "print(", False, False),
    _stdin("os._exit after the answer", "import os\nprint(3, flush=True)\nos._exit(0)", True, False, [("", "3\n")]),
    _stdin("a guard inside a block", "if True:\n    if __name__ == '__main__':\n        print(3)", True, False,
           [("", "3\n")]),
    _stdin("a name that exec makes", "exec('y = 3')\nprint(y)", True, False, [("", "3\n")]),
    _stdin("globals()", "x = 3\nprint(globals()['x'])", True, False, [("", "3\n")]),
    _stdin("lines that end in CRLF", "print(len(input()))", True, False, [("ab\r\n", "2\n")]),
    # How outputs compare.
    _stdin("numbers written otherwise", "print('1.0 2.50')", True, True, [("", "1 2.5\n")]),
    _stdin("no tolerance", "print(0.1 + 0.2)", False, False, [("", "0.3\n")]),
    _stdin("full-width digits", "print('\\uff13')", False, True, [("", "3\n")]),
    _stdin("underscores in numbers", "print('1_0')", False, True, [("", "10\n")]),
    _stdin("inf for Infinity", "print('inf')", False, True, [("", "Infinity\n")]),
    _stdin("space around lines", "print('  3  \\n')", True, True, [("", "3\n")]),
    _stdin("an empty line between", "print('1\\n\\n2')", False, False, [("", "1\n2\n")]),
    _stdin("space within a line", "print('a  b')", False, False, [("", "a b\n")]),
    _stdin("space between numbers", "print('1  2')", True, True, [("", "1 2\n")]),
    # Methods and their values.
    _call("a method", METHOD + "        return x + 1", True, True, [("1", "2"), ("4", "5")]),
    _call("an annotation of typing", "class Solution:\n    def f(self, x: List[int]) -> int:\n        return max(x)",
          True, True, [("[1, 2]", "2")]),
    _call("a tuple", METHOD + "        return (x, x)", True, True, [("1", "[1, 1]")]),
    _call("a tuple in a list", METHOD + "        return [(x, x)]", True, False, [("1", "[[1, 1]]")]),
    _call("1 for true", METHOD + "        return 1", False, True, [("1", "true")]),
    _call("2.0 for 2", METHOD + "        return 2.0", True, True, [("1", "2")]),
    _call("a float that is nearly right", METHOD + "        return 0.1 + 0.2", False, False, [("1", "0.3")]),
    _call("state between calls", "class Solution:\n    def __init__(self):\n        self.n = 0\n"
          "    def f(self, x):\n        self.n += x\n        return self.n", True, False, [("1", "1"), ("2", "2")]),
    _call("no such method", "class Solution:\n    def g(self, x):\n        return x", False, False, [("1", "1")]),
    _call("a bare function", "def f(x):\n    return x", True, True, [("1", "1")]),
    _call("printing much", METHOD + "        print('x' * 50)\n        return x", True, True, [("1", "1")]),
    _call("two arguments", "class Solution:\n    def f(self, a, b):\n        return a[b]", True, True,
          [("[1, 2, 3]\n1", "2")]),
    _call("equal to everything",
          "class Any(int):\n    def __eq__(self, other):\n        return True\n" + METHOD + "        return Any(7)",
          False, True, [("1", "2")]),
)  # fmt: skip

#: Cheats that a grader within the program's reach falls to; ours keeps the answers outside.
CHEATS = frozenset({"equal to everything"})


def packed(tests: Sequence[dict[str, str]], protocol: int = 4) -> str:
    """Private tests as the data set has them."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests), protocol))).decode()


def row(identity: str, *, functional: bool = False, **more: Any) -> dict[str, Any]:
    """A row of the official layout: a public test and a private one."""
    kind = "functional" if functional else "stdin"
    public = [{"input": "1" if functional else "1 2\n", "output": "2" if functional else "3\n"}]
    private = [{"input": "4" if functional else "4 5\n", "output": "5" if functional else "9\n"}]
    values = {
        "question_title": f"title of {identity}", "question_content": f"Question {identity}?\r\n",
        "platform": "leetcode" if functional else "atcoder", "question_id": identity, "contest_id": "c",
        "contest_date": "2024-08-03T00:00:00", "difficulty": "easy",
        "starter_code": "class Solution:\n    def f(self, x: int) -> int:\n        " if functional else "",
        "public_test_cases": json.dumps([{**t, "testtype": kind} for t in public]),
        "private_test_cases": packed([{**t, "testtype": kind} for t in private]),
        "metadata": json.dumps({"func_name": "f"} if functional else {}),
    }  # fmt: skip
    return values | more


def write_mirror(data: Path, rows: Sequence[dict[str, Any]], name: str = "test.jsonl") -> Path:
    """Rows as one file of a copy of the Hub's repository."""
    path = data / "livecodebench" / "code_generation_lite" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
