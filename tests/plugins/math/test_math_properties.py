"""Properties of the verifier `math` over real golds: each is itself, however it is dressed, and no change of
it passes. And of extraction: a box behind thinking wins, whatever prose stands around it."""

from __future__ import annotations

import functools
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from harness_math.extract import extract
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.support.math_kit import judged
from tests.support.places import DATA, ROOT

BENCH = ROOT / "bench" / "verifier_mutations.py"

#: Golds of every kind, so that the rules are tried where no data is at hand.
OWN = [
    "42", "-7", "1000", "12345", "0", "3.5", "0.125", "-2.75", "\\frac{3}{4}", "-\\frac{5}{6}", "\\frac{7}{2}", "5/8", "2\\sqrt{3}", "\\sqrt{5}", "3\\pi", "\\frac{\\pi}{6}", "\\frac{\\sqrt{3}}{2}",
    "1, 2, 3", "7, 11", "(3, 4)", "(-1, \\frac{1}{2})", "[2, 5)", "(-\\infty, 3]", "x \\leq 4", "2 \\leq x < 7", "x = 5", "y = 2x + 1", "x^2 + 3x + 2", "(x+1)(x-2)", "\\frac{x+1}{x-1}", "e^{2x}", "\\sin x",
    "60^\\circ", "25\\%", "12\\text{ cm}", "\\$3.50", "5 \\text{ hours}", "1:2:3", "3:4", "8:20 p.m.", "10:45 a.m.", "463_8", "1011_2", "n \\equiv 2 \\pmod 5", "\\lfloor n/2 \\rfloor", "\\left\\lceil \\frac{n}{3} \\right\\rceil",
    "\\text{odd}", "B", "HT", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "1 \\pm \\sqrt{2}", "\\{1, 4\\}", "\\emptyset", "\\binom{n}{2}", "n!", "3 + 4i", "2^{10}", "\\log_2 5", "x_1 + x_2", "f(x) = 3x", "7 \\mid n", "1{,}024",
]  # fmt: skip


@functools.cache
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_verifier_mutations", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def golds(name: str, field: str) -> list[str]:
    """The different golds of a data file, or a skip that says why."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"no {path}: set HARNESS_DATA")
    return list(bench().golds_of(path, field))


@functools.cache
def some_golds() -> list[str]:
    """Own golds, and a slice of real ones where there are some."""
    path = DATA / "difficulty" / "adarft_deepscaler_passrate.jsonl.gz"
    real = list(bench().golds_of(path, "answer"))[::9] if path.exists() else []
    return [*OWN, *real]


PROPERTY = settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("difficulty/adarft_deepscaler_passrate.jsonl.gz", "answer"), ("benchmarks/math500.jsonl", "answer"), ("benchmarks/olympiadbench.jsonl", "final_answer"), ("benchmarks/gsm8k_test.jsonl", "answer"),
        ("benchmarks/amc23.jsonl", "answer"), ("benchmarks/aime24.jsonl", "answer"), ("benchmarks/aime25.jsonl", "answer"), ("benchmarks/aime26.jsonl", "answer"), ("benchmarks/hmmt_feb_2025.jsonl", "answer"),
        ("benchmarks/hmmt_feb_2026.jsonl", "answer"), ("outputs/math500_rasbt_predictions.jsonl", "gold"), ("outputs/math100_qwen2.5-math_n8.jsonl.gz", "gold"),
    ],
)  # fmt: skip
def test_every_real_gold_is_itself(name: str, field: str) -> None:
    real = golds(name, field)
    assert len(real) > 20
    assert [gold for gold in real if judged(gold, gold).status != "pass"] == []


@PROPERTY
@given(st.data())
def test_a_gold_equals_itself_otherwise_dressed(data: st.DataObject) -> None:
    module = bench()
    gold = data.draw(st.sampled_from(OWN))
    rule = module.REWRITINGS[data.draw(st.sampled_from(sorted(module.REWRITINGS)))]
    for answer in rule(gold):
        assert judged(gold, answer).status == "pass", answer


@PROPERTY
@given(st.data())
def test_no_change_of_a_gold_passes(data: st.DataObject) -> None:
    module = bench()
    gold = data.draw(st.sampled_from(some_golds()))
    for name in module.STRICT:
        for answer in module.CHANGES[name](gold):
            if module.balanced(answer):
                assert judged(gold, answer).status != "pass", (gold, answer)


@PROPERTY
@given(st.data())
def test_values_compare_alike_in_both_directions(data: st.DataObject) -> None:
    """Without decimals, which a gold may round, without names and units, which may be left out."""
    exact = [
        g for g in some_golds()
        if not any(mark in g for mark in (".", "text", "=", "\\circ", "%", "$", "mbox", "mathrm", "approx", "_", "pmod"))
    ]  # fmt: skip
    a, b = data.draw(st.sampled_from(exact)), data.draw(st.sampled_from(exact))
    assert judged(a, b).status == judged(b, a).status, (a, b)


@PROPERTY
@given(st.integers(-(10**6), 10**6), st.integers(1, 10**6), st.integers(2, 50))
def test_a_ratio_is_that_of_its_terms(a: int, b: int, factor: int) -> None:
    gold = f"{abs(a)}:{b}:7"
    assert judged(gold, f"{abs(a) * factor}:{b * factor}:{7 * factor}").status == "pass"
    assert judged(gold, f"{abs(a)}:{b + 1}:7").status == "fail"
    assert judged(gold, f"{abs(a)}:{b}:8").status == "fail"


@PROPERTY
@given(st.integers(2, 40), st.integers(0, 39), st.integers(0, 39), st.integers(-5, 5))
def test_a_congruence_is_a_set_of_whole_numbers(modulus: int, a: int, b: int, turns: int) -> None:
    gold = f"n \\equiv {a % modulus} \\pmod{{{modulus}}}"
    assert judged(gold, f"n \\equiv {a + turns * modulus} \\pmod{{{modulus}}}").status == "pass"
    assert judged(gold, f"n \\equiv {a % modulus} \\pmod{{{modulus + 1}}}").status == "fail"
    other = judged(gold, f"n \\equiv {b} \\pmod{{{modulus}}}").status
    assert other == ("pass" if (a - b) % modulus == 0 else "fail")


@PROPERTY
@given(st.integers(1, 10**9), st.integers(2, 36), st.integers(2, 36))
def test_digits_in_a_base_compare_by_value(number: int, base: int, other: int) -> None:
    gold, same = _written(number, base), _written(number, other)
    # A digit sum or a name may look alike: only digits that the verifier reads as a numeral are asked for.
    assume(not gold.isalpha() and not same.isalpha() and gold[0].isdigit() and same[0].isdigit())
    assert judged(f"{gold}_{{{base}}}", f"{same}_{{{other}}}").status == "pass"
    assert judged(f"{gold}_{{{base}}}", f"{_written(number + 1, other)}_{{{other}}}").status == "fail"


def _written(number: int, base: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, base)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    return digits


@PROPERTY
@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 23), st.integers(0, 59))
def test_times_of_day_are_the_same_or_not(h: int, m: int, other_h: int, other_m: int) -> None:
    def said(hour: int, minute: int) -> str:
        return f"{hour % 12 or 12}:{minute:02} {'a' if hour < 12 else 'p'}.m."

    verdict = judged(said(h, m), said(other_h, other_m).replace(".", "").upper())
    assert verdict.status == ("pass" if (h, m) == (other_h, other_m) else "fail")


@PROPERTY
@given(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-6, max_value=1e12))
def test_a_gold_that_is_a_double_is_met_by_what_it_prints(value: float) -> None:
    assert judged(value, repr(value)).status == "pass"
    assert judged(value, format(value, ".15f" if value < 1 else ".15g")).status in ("pass", "fail")
    assert judged(value, repr(value * 1.01)).status == "fail"


# Extraction --------------------------------------------------------------------------------------

PROSE = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\\{}<>", exclude_categories=("Cs",)),
    max_size=120,
)
ANSWERS = st.sampled_from(OWN)


@PROPERTY
@given(PROSE, ANSWERS, PROSE, ANSWERS, PROSE)
def test_a_box_behind_thinking_wins(before: str, draft: str, between: str, answer: str, after: str) -> None:
    response = f"<think>{before}\\boxed{{{draft}}}</think>{between}\\boxed{{{answer}}}{after}"
    for extraction in ("boxed", "final", "any"):
        assert extract(response, thinking="model", extraction=extraction).text == answer


@PROPERTY
@given(PROSE, ANSWERS, PROSE, st.booleans())
def test_prose_around_a_box_changes_nothing(before: str, answer: str, after: str, truncated: bool) -> None:
    alone = extract(f"\\boxed{{{answer}}}", thinking="none", extraction="any")
    dressed = extract(
        f"{before}\\boxed{{{answer}}}{after}", thinking="none", extraction="any", truncated=truncated
    )
    assert dressed == alone


@PROPERTY
@given(PROSE, st.integers(-(10**9), 10**9))
def test_a_stated_answer_behind_any_prose(before: str, number: int) -> None:
    for statement in (
        f"\nThe answer is {number}.",
        f"\n#### {number}",
        f"\nFinal answer: {number}",
        f"\nA: {number}",
    ):
        stated = extract(before + "." + statement, thinking="none", extraction="any")
        assert stated.text == str(number), statement


# The bench ---------------------------------------------------------------------------------------


def test_the_bench_finds_no_fault_in_own_golds() -> None:
    module = bench()
    rewritten = module.measured(OWN, module.REWRITINGS, right=True)
    changed = module.measured(OWN, module.CHANGES, right=False)
    wrong: list[Any] = [w for count in (*rewritten.values(), *changed.values()) for w in count.wrong]
    assert wrong == []
    assert sum(count.tried for count in rewritten.values()) > 500
    assert sum(count.tried for count in changed.values()) > 150


def test_the_bench_meets_its_targets_on_a_slice_of_real_golds() -> None:
    module = bench()
    slice_ = golds("difficulty/adarft_deepscaler_passrate.jsonl.gz", "answer")[::40]
    rewritten = module.measured(slice_, module.REWRITINGS, right=True)
    changed = module.measured(slice_, module.CHANGES, right=False)
    assert module.faults(rewritten, changed) == [], "\n".join(
        module.lines("changes", changed, 3, right=False)
    )


def test_the_bench_says_what_misses_a_target() -> None:
    module = bench()
    bad = module.Count(tried=10, passed=5)
    good = module.Count(tried=1000, passed=999)
    assert module.faults({"itself": good}, {"hedge": module.Count(tried=5)}) == []
    assert module.faults({"itself": bad}, {"hedge": bad}) == [
        "at least 99.8% of rewritings pass",
        "no hedge passes",
    ]


def test_the_bench_takes_any_file_of_golds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = bench()
    lines = tmp_path / "golds.txt"
    lines.write_text("42\n\\frac{1}{2}\n42\n")
    rows = tmp_path / "golds.jsonl"
    rows.write_text("\n".join(json.dumps({"id": i, "final": a}) for i, a in enumerate(["7", ["8", "9"]])))
    assert module.golds_of(lines, "") == ["42", "\\frac{1}{2}"]
    assert module.golds_of(rows, "final") == ["7", "8", "9"]
    with pytest.raises(ValueError, match="line 1: no field 'answer'; it has id, final"):
        module.golds_of(rows, "answer")
    assert module.main([str(lines)]) == 0
    assert "all targets met" in capsys.readouterr().out
