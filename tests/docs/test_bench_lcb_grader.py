"""The bench of LiveCodeBench's graders: what makes it fail, and that it is skipped where it cannot run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from types import ModuleType

import pytest

from tests.support.places import ROOT

PATH = ROOT / "bench" / "lcb_grader.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lcb_grader", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["lcb_grader"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("problem", "same", "seconds", "faults"),
    [
        ("abc1", True, 1.0, []),
        ("abc1", False, 1.0, ["lcb-strict abc1: differs"]),
        ("abc344_b", False, 1.0, []),
        ("abc1", True, 4.0, ["lcb-strict: 2.50 times as fast"]),
    ],
)
def test_it_fails_where_verdicts_differ_unexplained_or_it_is_slow(
    bench: ModuleType, problem: str, same: bool, seconds: float, faults: list[str]
) -> None:
    theirs = bench.Side(passed={problem: True}, blocks=[10.0])
    ours = bench.Side(passed={problem: same}, blocks=[seconds])
    none = {"upstream": bench.Side(), "lcb-strict": bench.Side()}
    named = bench.faults({"upstream": theirs, "lcb-strict": ours}, none)
    assert len(named) == len(faults)
    assert all(one.startswith(start) for one, start in zip(named, faults, strict=True))


def test_without_a_checkout_it_is_skipped() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LIVECODEBENCH"}
    done = subprocess.run(
        [sys.executable, str(PATH)], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout[:8]) == (0, "skipped:"), done.stderr
