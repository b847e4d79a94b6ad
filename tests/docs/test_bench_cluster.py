"""The bench of a whole cluster, in a small form: whatever befalls it, no sample is lost or counted twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.contract import Group, Sample, Verdict
from harness.recording.groups import group_line
from harness.recording.ledger import Ledger
from tests.support.builders import key, rollout
from tests.support.places import ROOT
from tests.support.sandboxes import contained

NAMES = ("steady", "long tails", "slow servers", "dying servers", "hanging hosts", "partition")


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        import cluster

        yield cluster
    finally:
        sys.path.remove(str(ROOT / "bench"))


def small(bench: Any) -> Any:
    """A few of everything, with timeouts that a crowded machine keeps."""
    latency = bench.Latency(tokens=800.0, most=8192)
    return bench.Size(
        servers=4, nodes=2, hosts=2, batch=6, samples=4, steps=2, sandbox=contained(), every=0.5, lasts=3.0,
        hurry=4.0, answer_seconds=5.0, latency=latency,
    )  # fmt: skip


def test_every_scenario_is_tried_here(bench: Any) -> None:
    assert tuple(scenario.name for scenario in bench.SCENARIOS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_no_sample_is_lost_or_counted_twice(bench: Any, name: str, tmp_path: Path) -> None:
    scenario = next(one for one in bench.SCENARIOS if one.name == name)
    with bench.network("loopback") as net:
        row = bench.run(scenario, small(bench), net, tmp_path / "run")
    assert row.faults(None) == [], (tmp_path / "run" / "driver.log").read_text()
    assert len(row.samples.outcomes) == row.samples.asked == 48
    # Servers answered them all, and programs ran on the hosts.
    assert row.served.given >= 48
    assert row.notes.waits
    assert (row.blows > 0) == (scenario.blow is not None)
    assert bench.table([row]).count("\n") == 2


def test_a_lost_a_doubled_and_another_sample_are_faults(bench: Any) -> None:
    first, second = (1, "sums/a", 0), (1, "sums/a", 1)
    samples = bench.counting.Samples(2, 0, 0, 0, 20, {first: ("pass", 10), second: ("fail", 10)}, ())
    notes = bench.counting.Notes([10.0], [0.1], [0.2], 0.1)
    served = bench.counting.Served(2, 2, 1.0)
    steady = bench.Row(bench.SCENARIOS[0], bench.Size(), 0, samples, notes, served, 0.1, 0)
    assert steady.faults(steady) == steady.late() == []

    def told(**changes: Any) -> list[str]:
        return replace(steady, samples=replace(samples, **changes)).faults(steady)

    (lost,) = told(lost=1, reasons=("no host",))
    assert lost == "steady: 1 samples lost: no host"
    (twice,) = told(twice=1)
    assert "1 samples twice" in twice
    (other,) = told(outcomes={first: ("pass", 10), second: ("pass", 10)})
    assert "not those of the steady run" in other
    assert replace(steady, exit=1).faults(steady) == ["steady: exit code 1"]
    (late,) = replace(steady, notes=replace(notes, waits=[0.6])).late()
    assert "6.0\u2009% of a step" in late


def test_the_ledger_is_held_against_what_was_asked(bench: Any, tmp_path: Path) -> None:
    def group(*statuses: str) -> Group:
        made = []
        for i, status in enumerate(statuses):
            verdict = Verdict(status=status, score=None, verifier="v", verifier_hash="h", reason=f"{status}!")
            made.append(Sample.of(rollout("1 2 3", key=key("sums/a", i), completion_tokens=7), verdict))
        return Group(task="sums/a", subject="sums/a", step=1, samples=tuple(made))

    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        for one in (group("pass", "infra_error"), group("fail")):
            ledger.append("group", stage="s", kept=True, group=group_line(one, "sample"))
    samples = bench.counting.samples(path, steps=1, batch=1, size=3)
    assert (samples.asked, samples.lost, samples.twice, samples.strange) == (3, 2, 1, 0)
    assert (samples.tokens, samples.reasons) == (14, ("infra_error!",))


def test_the_page_holds_the_table(bench: Any) -> None:
    text = bench.PAGE.read_text(encoding="utf-8")
    assert bench.placed(text, "new").count("new\n") == text.count("new\n") + 1
