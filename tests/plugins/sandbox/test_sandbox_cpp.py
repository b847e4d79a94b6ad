"""C++: compiled once, inside, and run for each test."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from harness_code import cases, judge

from tests.support.sandboxes import WARM, sandbox

LIMITS = cases.Limits(cpu_seconds=1, wall_seconds=20, memory_mb=256)
SUMS = cases.Stdio(
    language="cpp", tests=tuple(cases.Case(f"{n} 1", f"{n + 1}") for n in range(3)), limits=LIMITS
)
READ = "#include <bits/stdc++.h>\nusing namespace std;\nint main() { long long a, b; cin >> a >> b;\n"


@pytest.fixture(scope="module", params=WARM)
def pool(request: pytest.FixtureRequest) -> Iterator[Any]:
    if shutil.which("g++") is None:
        pytest.skip("COMPILER: no g++ on this machine to build the tree from")
    with sandbox(request.param, language="cpp") as made:
        yield made


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("cout << a + b; }", ["pass"] * 3),
        ("cout << (a == 1 ? 0 : a + b); }", ["pass", "wrong_answer", "pass"]),
        ("if (a == 2) *(volatile int*)0 = 1; cout << a + b; }", ["pass", "pass", "runtime_error"]),
        ("volatile int x = 0; while (a == 0) x = 1; cout << a + b; }", ["time_limit", "pass", "pass"]),
        ("return a == 1 ? 3 : (cout << a + b, 0); }", ["pass", "runtime_error", "pass"]),
        ("cout << a + ; }", ["compile_error"] * 3),
    ],
)
def test_verdicts(pool: Any, body: str, expected: list[str]) -> None:
    before = pool.stats.jobs
    results = asyncio.run(judge.judge(READ + body, SUMS, pool, stop_at_failure=False))
    assert [result.verdict for result in results] == expected
    assert pool.stats.jobs - before == (1 if expected[0] == "compile_error" else 4)


def test_a_binary_has_no_more_rights_than_a_script(pool: Any) -> None:
    code = """
#include <cerrno>
#include <cstdio>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>
int main() {
    int reached = socket(AF_INET, SOCK_STREAM, 0) >= 0 || setuid(0) == 0;
    reached += ptrace(PTRACE_TRACEME, 0, 0, 0) == 0;
    for (int fd = 3; fd < 64; fd++) reached += write(fd, "x", 1) == 1;
    printf("%d %d\\n", reached, getuid() == 0);
}"""
    answer = cases.Stdio(language="cpp", tests=(cases.Case("", "0 0"),), limits=LIMITS)
    (result,) = asyncio.run(judge.judge(code, answer, pool, stop_at_failure=False))
    assert result.passed, result.evidence
