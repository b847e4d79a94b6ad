"""Metrics of plugins over recorded samples."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from harness_benchmarks.stability import Stability, StabilityOptions
from hypothesis import given
from hypothesis import strategies as st

from harness import statistics
from harness.contract.errors import RecipeError
from harness.contract.protocols import ScoredSample
from harness.contract.records import Verdict
from tests.support.builders import rollout, task
from tests.support.evaluations import echo, evaluate, math500_rows, report, write_rows

pytest.importorskip("math_verify")


def samples(*counts: tuple[int, int]) -> list[ScoredSample]:
    """Problems with so many (samples, passes)."""
    out = []
    for problem, (n, passes) in enumerate(counts):
        for i in range(n):
            right = i < passes
            verdict = Verdict(
                status="pass" if right else "fail", score=float(right), verifier="exact", verifier_hash="h"
            )
            out.append(ScoredSample(task("1", id=f"p{problem}"), rollout("x"), verdict))
    return out


@given(st.lists(st.integers(0, 12), min_size=1, max_size=5), st.integers(1, 12))
def test_the_ends_of_g_pass_are_pass_at_k_and_all_pass(passes: list[int], k: int) -> None:
    metrics = Stability(StabilityOptions(k=k, thresholds=(0.0, 0.5, 1.0)))(
        samples(*((12, c) for c in passes))
    )
    assert metrics[f"g-pass@{k}_0"] == pytest.approx(statistics.pass_at_k(passes, 12, k).mean())
    nothing_fails = 1 - statistics.pass_at_k([12 - c for c in passes], 12, k).mean()
    assert metrics[f"g-pass@{k}_1"] == pytest.approx(nothing_fails)
    assert metrics[f"g-pass@{k}_0"] >= metrics[f"g-pass@{k}_0.5"] >= metrics[f"g-pass@{k}_1"]


def test_g_pass_by_hand() -> None:
    # 4 samples, 3 pass, 2 are drawn: both pass in 3 of 6 draws, at least one in all.
    metrics = Stability(StabilityOptions(k=2, thresholds=(0.5, 1.0)))(samples((4, 3)))
    assert metrics == {"g-pass@2_0.5": 1.0, "g-pass@2_1": 0.5, "mg-pass@2": 0.5}


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(RecipeError, match="a problem has 2 samples"):
        Stability(StabilityOptions(k=4))(samples((4, 1), (2, 1)))


def test_a_report_asks_metrics_of_any_judgement(tmp_path: Path) -> None:
    write_rows(tmp_path / "data", math500_rows())
    smoke = ["--profile", "r1-standard", "--samples", "4"]
    prose = "The number that is asked for is 3."
    evaluate(tmp_path, "eval", "m", "-b", "math500", "--limit", "6", *smoke, *echo(prose), code=3)
    folder = "runs/m-r1-standard-1"
    evaluate(tmp_path, "score", folder, "--set", "thinking=none", "--set", "extraction=any")
    assert re.search(r"g-pass@2_1 +0\.1667", evaluate(tmp_path, "report", folder, "--metric", "g-pass"))
    first = report(tmp_path, folder, "--metric", "g-pass", "--scoring", "0", code=3)
    numbers = first["benchmarks"]["math500"]["metrics"]["g-pass"]
    assert set(numbers.values()) == {0.0}
    assert "did you mean 'g-pass'" in evaluate(tmp_path, "report", folder, "--metric", "gpass", code=2)
    chosen = ["report", folder, "--metric", "g-pass", "--set"]
    told = evaluate(tmp_path, *chosen, "g-pass.k=4", "--set", "g-pass.thresholds=[0.25]")
    assert re.search(r"g-pass@4_0\.25 ", told)
    assert "g-pass@2" not in told
    for setting, words in (
        ("g-pass.kk=4", "did you mean 'k'"),
        ("g-pass.k=0", "--metric g-pass"),
        ("other.k=4", "no --metric other"),
        ("k=4", "METRIC.OPTION=VALUE"),
    ):
        assert words in evaluate(tmp_path, *chosen, setting, code=2)


def test_a_report_gives_pass_at_any_k_up_to_the_samples(tmp_path: Path) -> None:
    write_rows(tmp_path / "data", math500_rows())
    smoke = ["--profile", "r1-standard", "--samples", "5"]
    prose = "It is plain.</think>The number that is asked for is \\boxed{3}."
    evaluate(tmp_path, "eval", "m", "-b", "math500", "--limit", "6", *smoke, *echo(prose))
    folder = "runs/m-r1-standard-1"
    assert re.search(r"math500 +3 +16\.7", evaluate(tmp_path, "report", folder, "--pass-at", "3"))
    points = report(tmp_path, folder, "--pass-at", "3", "--pass-at", "5")["benchmarks"]["math500"]["pass_at"]
    assert {k: point["value"] for k, point in points.items()} == {"3": 1 / 6, "5": 1 / 6}
    assert points["3"]["low"] < 1 / 6 < points["3"]["high"]
    refused = evaluate(tmp_path, "report", folder, "--pass-at", "6", code=2)
    assert "pass@6 takes 6 samples per problem" in refused
    assert "1 to 5" in refused
    assert f"next: harness eval --resume {folder} --samples 6" in refused
