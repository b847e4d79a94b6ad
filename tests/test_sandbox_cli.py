"""`harness sandbox`: what a user meets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.sandboxes import contained


def harness(*words: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=120
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
    assert float(figures["executions a second"]) > 0
    assert float(figures["latency p50, ms"]) <= float(figures["latency p99, ms"])


def test_build_is_done_once() -> None:
    words = ("sandbox", "build", "--no-docker")
    first, second = harness(*words), harness(*words)
    assert first.returncode == second.returncode == 0
    assert first.stdout.split()[1] == second.stdout.split()[1]
    assert Path(first.stdout.split()[1], "usr/local/bin/python3").exists()
