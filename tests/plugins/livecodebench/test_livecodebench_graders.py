"""The two graders: what each passes, and that the reference says what the published harness says."""

from __future__ import annotations

import asyncio
import builtins
import dis
import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from harness_livecodebench import prelude
from harness_livecodebench.options import GraderOptions
from harness_livecodebench.prelude import prelude_for
from harness_livecodebench.problems import Problem, read_file
from harness_livecodebench.reference import ReferenceGrader
from harness_livecodebench.rules import fenced
from harness_livecodebench.store import Store
from harness_livecodebench.strict import StrictGrader, with_prelude
from harness_runner import held
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import DataError
from harness.contract.records import Message, PolicyRef, Rollout, RolloutKey, Sampling, Task
from tests.support.data import data_folder
from tests.support.lcb_kit import CHEATS, ODDITIES, Oddity
from tests.support.places import DATA
from tests.support.sandboxes import build_context, contained, sandbox

OPTIONS = {"memory_mb": 512, "time_factor": 2.0}


@pytest.fixture(scope="module")
def pool() -> Iterator[Any]:
    with sandbox(contained(), slots=2, memory_mb=512) as made:
        yield made


def grade(kind: Any, cases: list[Oddity], pool: Any) -> dict[str, bool]:
    grader = kind(GraderOptions(**OPTIONS), build_context())

    async def one(case: Oddity) -> bool:
        results = await grader.grade(case.program, case.entry_point, list(case.tests), pool)
        assert all(result.verdict != "infra_error" for result in results)
        return len(results) == len(case.tests) and all(result.passed for result in results)

    async def all_of_them() -> list[bool]:
        return await asyncio.gather(*map(one, cases))

    return dict(zip([case.name for case in cases], asyncio.run(all_of_them()), strict=True))


def test_the_strict_grader_runs_programs_as_anyone_would(pool: Any) -> None:
    assert grade(StrictGrader, list(ODDITIES), pool) == {case.name: case.strict for case in ODDITIES}


def test_the_reference_grader_has_the_published_faults_and_falls_to_no_cheat(pool: Any) -> None:
    expected = {case.name: case.published and case.name not in CHEATS for case in ODDITIES}
    assert grade(ReferenceGrader, list(ODDITIES), pool) == expected


PUBLISHED = """
import json, os, sys
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
from lcb_runner.evaluation.compute_code_generation_metrics import evaluate_generations
asked = json.load(sys.stdin)
results, _ = evaluate_generations(
    [{"input_output": json.dumps(a["sample"])} for a in asked], [[a["program"]] for a in asked],
    num_process_evaluate=2)
print(json.dumps([bool(all(r > 0 for r in results[i][0])) for i in range(len(asked))]), file=out)
"""


def test_the_table_of_oddities_is_true_of_the_published_harness() -> None:
    """With a checkout of LiveCodeBench at hand; it runs these programs without walls."""
    checkout = os.environ.get("LIVECODEBENCH")
    if not checkout:
        pytest.skip("LIVECODEBENCH names no checkout of github.com/LiveCodeBench/LiveCodeBench")
    asked = [
        {
            "program": case.program,
            "sample": {
                "inputs": [given for given, _ in case.tests],
                "outputs": [right for _, right in case.tests],
                "fn_name": case.entry_point,
            },
        }
        for case in ODDITIES
    ]
    done = subprocess.run(
        [os.environ.get("LIVECODEBENCH_PYTHON", sys.executable), "-c", PUBLISHED], input=json.dumps(asked),
        env={**os.environ, "PYTHONPATH": checkout}, capture_output=True, text=True, errors="replace",
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = dict(zip([case.name for case in ODDITIES], json.loads(done.stdout), strict=True))
    assert told == {case.name: case.published for case in ODDITIES}


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```python\na\n```", "a"),
        ("```\na\n```\nor\n```py\nb\n```", "b"),
        ("```python\na\n```\nDone.\n```", "Done."),
        ("a ``` b\nx\n  ``` c", "x"),
        ("```python\na", ""),
        ("", ""),
    ],
)
def test_the_published_rule_for_fences(text: str, program: str) -> None:
    assert fenced(text) == program


def test_what_the_harness_writes_as_text_comes_to_the_same_code_without_that() -> None:
    """The sandbox moves a program's statements into a function as they are; the published harness writes
    them as text and reads that. A program whose text might say something else is written here, too."""
    programs = [case.program for case in ODDITIES if case.entry_point is None] + recorded()
    written = 0
    for program in programs:
        codes = held._plain(program, "import sys\n")
        written += not codes
        if codes:
            text = held._wrapped(program, "")
            assert instructions(codes[1]) == instructions(held._compiled(text)), program
    assert 0 < written < len(programs)
    for program in (
        "print(f'{1}')", "x = 'é'", "def f(): pass\nclass Solution: pass", "", "import sys", "print(",
        "print(" + "-" * 300 + "1)", "from __future__ import annotations\nprint(1)",
    ):  # fmt: skip
        assert not held._plain(program, "import sys\n"), program


def recorded() -> list[str]:
    """Every tenth program of Qwen2.5-7B-Instruct, where the data is at hand."""
    if not DATA.is_dir():
        return []
    with gzip.open(DATA / "outputs" / "lcb_qwen2.5-7b-instruct.jsonl.gz", "rt") as file:
        return [json.loads(line)["code_list"][0] for line in file][::10]


def instructions(code: CodeType) -> list[Any]:
    """What a code does, line numbers and the instructions that only carry them left out."""
    steps: list[Any] = []
    for step in dis.get_instructions(code):
        if isinstance(step.argval, CodeType):
            steps.append((step.opname, instructions(step.argval)))
        elif step.opname != "NOP":
            jumps = step.opcode in dis.hasjrel or step.opcode in dis.hasjabs
            steps.append((step.opname, None if jumps else step.argrepr))
    return steps


def test_a_future_import_stays_first() -> None:
    program = "'''doc'''\nfrom __future__ import annotations\nx: Undefined = 1\nprint(x)"
    compile(with_prelude(program), "p", "exec")
    assert with_prelude(program).startswith("from __future__ import annotations\n")


def test_a_wrong_program_does_not_compute_for_tests_that_no_longer_count(pool: Any) -> None:
    """The first test fails at once; the second would take for ever."""
    loop = "while int(a) > 1: pass\n"
    stdin = f"a = input()\n{loop}print('no')\n"
    method = f'class Solution:\n    def f(self, a):\n        {loop}        return "no"\n'
    for kind in (StrictGrader, ReferenceGrader):
        grader = kind(GraderOptions(**{**OPTIONS, "seconds": 1.0, "time_factor": 1.5}), build_context())
        for program, name in ((stdin, None), (method, "f")):
            results = asyncio.run(grader.grade(program, name, [("1", "1"), ("2", "2")], pool))
            assert results[0].verdict == "wrong_answer"
            assert results[0].cpu_s < 1
            slow = asyncio.run(
                grader.grade(program, name, [("1", '"no"' if name else "no"), ("2", "2")], pool)
            )
            assert [result.verdict for result in slow] == ["pass", "time_limit"]
            assert slow[1].cpu_s > 0.2, "it had more than the trial"


def test_methods_have_their_time_for_each_test(pool: Any) -> None:
    """The limit is a test's: the kernel's own, which ends a process, leaves room for all of its tests."""
    program = "import resource\ndef f(n):\n    return resource.getrlimit(resource.RLIMIT_CPU)[0] >= n\n"
    tests = [("4", "true")] * 29
    grader = StrictGrader(GraderOptions(**{**OPTIONS, "time_factor": 1.0}), build_context())
    results = asyncio.run(grader.grade(program, "f", tests, pool))
    assert [result.verdict for result in results] == ["pass"] * 29


def names(source: str, words: set[str]) -> dict[str, Any]:
    bound: dict[str, Any] = {"__builtins__": builtins}
    exec(source, bound)
    # As a program finds them: its globals, then the builtins.
    return {word: bound.get(word, vars(builtins).get(word)) for word in words}


@pytest.mark.parametrize("case", ODDITIES, ids=lambda case: case.name)
def test_a_program_cannot_tell_its_prelude_from_the_whole(case: Oddity) -> None:
    words = set(re.findall(r"\w+", case.program)) - {"__name__"}
    assert names(prelude_for(case.program), words) == names(prelude.whole(), words)


@given(
    st.sets(st.sampled_from(sorted(set().union(*map(prelude.exports, prelude.STARS)) | set(prelude.MODULES))))
)
def test_whatever_names_a_program_uses_are_bound_as_by_the_whole(words: set[str]) -> None:
    program = "\n".join(sorted(words))
    assert names(prelude_for(program), words) == names(prelude.whole(), words)


# As verifiers ------------------------------------------------------------------------------------


def task(tests: str, count: int, **answer: Any) -> Task:
    return Task(
        id="p", prompt=(Message("user", "?"),), verifier="", domain="livecodebench",
        answer={"kind": "livecodebench", "tests": tests, "count": count, **answer},
    )  # fmt: skip


def rollout(text: str) -> Rollout:
    return Rollout(
        key=RolloutKey("run", "eval", "", 0, "p", 0), prompt_ids=(1,), completion_ids=(2,), text=text,
        finish="stop", policy=PolicyRef(weights_sha="0"), sampling=Sampling(),
    )  # fmt: skip


def options(**more: Any) -> dict[str, Any]:
    return {**OPTIONS, "sandbox": {"name": contained(), "slots": 2, "memory_mb": 512}, **more}


@pytest.mark.parametrize("name", ["lcb-strict", "lcb-reference"])
def test_a_verdict_says_which_grader_gave_it(name: str) -> None:
    store = Store(build_context().cache)
    asked = task(store.put([("1\n", "1\n"), ("2\n", "4\n")]), 2)
    verifier = build_context().build("verifiers", name, options(run="all_tests", thinking="model"))
    verifier.open()
    try:
        right = verifier.verify(asked, rollout("```python\nprint(int(input()) ** 2)\n```"))
        assert (right.status, right.score, right.tests_passed) == ("pass", 1.0, 2)
        assert (right.verifier, right.verifier_hash) == (name, verifier.hash)
        half = verifier.verify(asked, rollout("```python\nprint(1)\n```"))
        assert half.status == "partial"
        assert verifier.verify(asked, rollout("<think>```python\nprint(1)\n```")).status == "no_answer"
        with pytest.raises(DataError, match="not a task of LiveCodeBench"):
            verifier.verify(Task(id="q", prompt=(), verifier="", answer=3), rollout(""))
        with pytest.raises(DataError, match="load the benchmark again"):
            verifier.verify(task("0" * 32, 1), rollout("```\n1\n```"))
    finally:
        verifier.close()


def test_the_graders_never_share_a_hash() -> None:
    build = build_context().build
    hashes = {build("verifiers", name, {}).hash for name in ("code", "lcb-strict", "lcb-reference")}
    assert len(hashes) == 3
    assert build("verifiers", "lcb-strict", {"seconds": 7.0}).hash not in hashes


# A model's programs ------------------------------------------------------------------------------


def published() -> list[tuple[Problem, str, bool]]:
    outputs = data_folder() / "outputs" / "lcb_qwen2.5-7b-instruct.jsonl.gz"
    statements = data_folder() / "code" / "lcb_v6_problems.jsonl"
    for path in (outputs, statements):
        if not path.is_file():
            pytest.skip(f"no {path}")
    cache: Path = build_context().cache
    problems = {problem.id: problem for problem in read_file(statements, Store(cache), cache)}
    with gzip.open(outputs, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [
        (problems[row["question_id"]], row["code_list"][0], row["graded_list"][0])
        for row in rows
        if problems[row["question_id"]].public[1]
    ]


@pytest.mark.parametrize("kind", [StrictGrader, ReferenceGrader])
def test_programs_that_the_benchmark_passes_pass_here(kind: Any, pool: Any) -> None:
    """Programs of a real model that LiveCodeBench graded as passing pass their public tests, all 222."""
    store = Store(build_context().cache)
    right = [
        Oddity(problem.id, code, tuple(store.get(problem.public[0])), True, True, problem.entry_point)
        for problem, code, passed in published()
        if passed
    ]
    assert len(right) == 222
    assert [name for name, passed in grade(kind, right, pool).items() if not passed] == []
