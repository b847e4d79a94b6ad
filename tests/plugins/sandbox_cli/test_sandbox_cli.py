"""`harness sandbox`: what a user meets."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from harness_code import cases, judge
from harness_sandbox.options import PoolOptions
from harness_sandbox.pool import PoolStats
from harness_sandbox_cli import capacity, openloop, workload
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.programs import Job, Raw
from tests.support.data import data_folder
from tests.support.places import ROOT
from tests.support.sandboxes import contained, sandbox


def harness(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


def test_check_says_what_is_contained() -> None:
    done = harness("sandbox", "check", "--kind", contained(), "--only", "forged")
    assert done.returncode == 0, done.stderr
    assert f"in {contained()}" in done.stdout
    assert "contained      forged_frames" in done.stdout
    assert "3 of 3 contained" in done.stdout


def test_check_fails_when_a_verdict_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "sum.py").write_text("# verdict: runtime_error ; mode: stdin ; threat: none\nprint(0)\n")
    done = harness("sandbox", "check", "--kind", contained(), "--corpus", str(tmp_path))
    assert done.returncode == 1
    assert "NOT CONTAINED" in done.stdout
    assert "verdict wrong_answer, right: runtime_error" in done.stdout


def test_check_without_walls_has_to_be_allowed() -> None:
    done = harness("sandbox", "check", "--kind", "unsafe-local", "--only", "benign")
    assert done.returncode == 2
    assert "it contains nothing" in done.stderr


def test_bench_prints_rates_and_latencies() -> None:
    done = harness("sandbox", "bench", "--kind", contained(), "--jobs", "20")
    assert done.returncode == 0, done.stderr
    figures = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines())
    assert float(figures["executions per second"]) > 0
    assert float(figures["latency p50, ms"]) <= float(figures["latency p99, ms"])


def test_build_is_done_once() -> None:
    words = ("sandbox", "build", "--no-docker")
    first, second = harness(*words), harness(*words)
    assert first.returncode == second.returncode == 0
    assert first.stdout.split()[1] == second.stdout.split()[1]
    assert Path(first.stdout.split()[1], "usr/local/bin/python3").exists()


# Rates and sizes ----------------------------------------------------------------------------------


def test_a_rate_is_measured_and_said(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    words = ("--rate", "4", "--seconds", "3", "--time-limit", "0.5", "--figures", str(path))
    done = harness("sandbox", "bench", "--kind", contained(), *words, HARNESS_DATA="")
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "made here, to the counts and times of recorded answers" in done.stdout
    figures = capacity.load(path)
    # Whether it does is for the clock of this machine to say; what is said agrees with the exit code.
    assert figures.kept_up == (done.returncode == 0)
    assert ("keeps up                   yes" in done.stdout) == figures.kept_up
    assert figures.programs == figures.judged == sum(figures.verdicts.values()) > 4
    assert figures.tests >= figures.programs
    assert set(figures.verdicts) <= {"pass", "wrong_answer", "runtime_error", "time_limit"}
    assert 0 < figures.latency_p50 <= figures.latency_p99
    # More than a fork costs, less than an interpreter that is started anew in a crowd.
    assert 0.5 < figures.cpu_test < 500
    assert figures.cores_needed > 0

    path.write_text(json.dumps(replace(figures, kept_up=True).values()))
    table = harness("sandbox", "capacity", "--figures", str(path), "--gpus", "8,16", "--host-cores", "4")
    assert table.returncode == 0, table.stderr
    assert [line.split(" | ")[0] for line in table.stdout.splitlines() if line.startswith("| ")][1:] == [
        "| 8", "| 16", "| 8", "| 16",
    ]  # fmt: skip


def test_a_rate_that_no_host_keeps_up_with_is_said_and_told_by_the_exit_code() -> None:
    words = ("--rate", "3000", "--seconds", "0.2", "--time-limit", "0.2", "--slots", "1")
    done = harness("sandbox", "bench", "--kind", contained(), *words, HARNESS_DATA="")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NO, with 3000 programs per second" in done.stdout


class Pool:
    """Stands for a pool in the arithmetic of keeping up: what it runs ends when it is told to."""

    kind = "scripted"
    options = PoolOptions(slots=1)
    width = 1

    def __init__(self, status: str = "ok", *, holding: bool = False) -> None:
        self.stats, self.busy_s = PoolStats(), 0.0
        self._raw = Raw(status, 0, b"1\n", b"", b"", 0.0, 0.0, 0.0)  # type: ignore[arg-type]
        self._left = 4 if holding else 1 << 30
        self.go_on = asyncio.Event()

    async def run(self, job: Job) -> Raw:
        self._left -= 1
        if self._left < 0:
            await self.go_on.wait()
        return self._raw


@pytest.mark.parametrize(
    ("status", "holding", "kept_up"),
    [("ok", False, True), ("ok", True, False), ("infra_error", False, False)],
)
def test_keeping_up_is_having_no_second_of_work_left_when_the_last_one_has_come(
    status: str, holding: bool, kept_up: bool
) -> None:
    works = [workload.Work("one", "print(1)", {"kind": "stdio", "tests": [{"input": "", "output": "1"}]})]

    async def measured() -> openloop.Figures:
        pool = Pool(status, holding=holding)
        task = asyncio.create_task(openloop.measure(pool, works, "one", rate=50, seconds=0.5))  # type: ignore[arg-type]
        if holding:
            # After everything has come, and nothing was done.
            await asyncio.sleep(3)
            pool.go_on.set()
        return await task

    figures = asyncio.run(measured())
    assert figures.kept_up == kept_up
    assert figures.programs == figures.judged > 10
    assert (figures.waiting_at_end == figures.programs - 1) == holding


def test_real_answers_are_measured_with_where_they_are() -> None:
    works, told = workload.lcb(data_folder())
    assert told == "recorded answers of Qwen2.5-7B-Instruct, public tests: 879 programs, 2299 tests"
    assert Counter(work.answer["kind"] for work in works) == {"stdio": 498, "functional": 381}
    for work in works:
        cases.parse(work.answer, where=work.name)


def test_made_programs_get_the_verdicts_that_they_were_made_for() -> None:
    # Three times as many seconds of the clock: a right program's, however busy the machine.
    works, _ = workload.lcb(None, time_limit=4.0)
    with sandbox(contained(), slots=2) as pool:
        for work in works[:30]:
            answer = cases.parse(work.answer, where=work.name)
            last = asyncio.run(judge.judge(work.program, answer, pool, stop_at_failure=True))[-1]
            right = {
                "best = 1\n": "wrong_answer",
                "[len(numbers)]": "runtime_error",
                "while True": "time_limit",
            }
            expected = next((verdict for mark, verdict in right.items() if mark in work.program), "pass")
            assert last.verdict == expected or "range(8000000)" in work.program, work


@given(
    gpus=st.integers(1, 5000),
    share=st.floats(0.01, 1),
    cores=st.integers(1, 256),
    cpu=st.floats(0.1, 1000),
)
def test_hosts_are_enough_and_one_may_be_lost(gpus: int, share: float, cores: int, cpu: float) -> None:
    figures = replace(
        capacity.load(ROOT / "docs" / "make" / "capacity.json"), cpu_sandbox=cpu, tests=100, judged=50
    )
    told = capacity.Assumptions(host_cores=cores)
    row = capacity.size(figures, gpus, share, told)
    assert (row.hosts - 1) * cores >= row.cores - 1e-6
    assert (row.hosts - 2) * cores < row.cores or row.hosts == 2
    twice = capacity.size(figures, 2 * gpus, share, told)
    assert twice.cores == pytest.approx(2 * row.cores)


def test_the_page_follows_from_its_measurement() -> None:
    page = (ROOT / "docs" / "how-to" / "capacity.md").read_text()
    figures = capacity.load(ROOT / "docs" / "make" / "capacity.json")
    assert capacity.table(figures, capacity.Assumptions()) in page
    assert capacity.basis(figures, capacity.Assumptions()) in page


def test_figures_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text('{"kind": "docker"}')
    done = harness("sandbox", "capacity", "--figures", str(path))
    assert done.returncode == 2
    assert "not the figures of a bench" in done.stderr
