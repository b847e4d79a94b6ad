"""Nothing hangs, nothing raises, nothing is silently 0: hostile answers, and properties of all answers."""

from __future__ import annotations

import gc
import time

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.contract.records import Verdict, encode
from harness.scoring import Scorer, VerifierSpec
from tests.support.math_kit import STOPPERS, judged, rollout_of, task_of, verifier

MORE = [
    "-" * 1_900 + "1", "2" + "^2" * 900, "\\frac1" * 300 + "2", "(" * 1_900, "\\sqrt" * 300 + "2", "|" * 1_901, "\\{" * 900,
    "x_" * 900 + "1", "!" * 1_900, "3" + "!" * 50, "1" + ",1" * 900, "\ud800\udfff", "\x00" * 100, "1e9999", "1e99999999",
    "0." + "3" * 1_900, "1/" * 900 + "1", "a+" * 900 + "a", "\\begin{pmatrix}" * 100, "1&" * 900, "\\text{" * 300, "²" * 400,
    "x^{x^{x^{x^{x}}}}", "10^{-10^{10}}", "e^{e^{e^{e^{e}}}}", "1" * 1_999, "5 \\pmod{" * 200, "(1," * 29 + "1" + ")" * 29,
    "\\pm1" * 400, "\\sin" * 400 + "x", "f(" * 300, "0.\\overline{" + "3" * 1_900 + "}", "\\log_" * 300, "a_{" * 600, "A5_{11}",
    "9_{" + "9" * 1_000 + "}", "\\frac{}{}", "\\frac", "^", "_", "{", "}", "\\", "\\begin", "\\end{x}", "2^{32767}", "1" + "%" * 1_900,
    "1" + "'" * 1_900, "1" + "^\\circ" * 300, " ".join(map(str, range(500))), "\\cup".join(["(1,2)"] * 200), "<".join("1" * 900),
    "\\gcd(2^{30000},2^{29999})", "x" * 1_999, "\\left" * 300, "0" * 1_999, "\u202e25", "9" * 500 + "^" + "9" * 500,
]  # fmt: skip


def timed(gold: str, prediction: str) -> tuple[Verdict, float]:
    """A verdict and its CPU seconds, without the garbage of the tests before it, as `timeit` measures."""
    judged("warm", "up")
    gc.disable()
    try:
        started = time.process_time()
        verdict = judged(gold, prediction)
        return verdict, time.process_time() - started
    finally:
        gc.enable()


@pytest.mark.parametrize("name", STOPPERS)
def test_one_line_answers_that_stop_graders(name: str) -> None:
    gold, prediction = STOPPERS[name]
    verdict, seconds = timed(gold, prediction)
    assert seconds < 0.05
    if verdict.status == "timeout":
        assert verdict.reason.startswith("cost_bound: ")
        assert verdict.score == 0.0
    else:
        assert verdict.status in ("pass", "fail", "no_answer")


def test_what_is_refused_is_no_failure() -> None:
    """A refusal is a status of its own: it does not look like a wrong answer."""
    for name in ("tower", "power", "factorial", "sum", "binomial", "gold tower", "sevens"):
        assert judged(*STOPPERS[name]).status == "timeout", name


def test_digits_of_other_scripts_are_read_by_their_value() -> None:
    assert judged("25", "２５").status == judged("25", "٢٥").status == "pass"
    assert judged("25", "２６").status == judged("25", "٢٦").status == "fail"


def test_prose_without_a_box() -> None:
    prose = "so many words, " * 13_400 + "the answer is 25"
    assert len(prose) > 200_000
    started = time.process_time()
    strict = verifier().verify(task_of("25"), rollout_of(prose))
    lenient = verifier(extraction="any").verify(task_of("25"), rollout_of(prose))
    assert time.process_time() - started < 0.05
    assert (strict.status, lenient.status) == ("no_answer", "pass")


@pytest.mark.parametrize(
    "text",
    ["\\boxed{" * 30_000, "\\boxed{}" * 25_000, "<think>" * 30_000, "$" * 200_000, "\\(" * 100_000, "[" * 200_000,
     "<answer>" * 20_000, "answer is " * 20_000, "{" * 200_000, "a" * 200_000, "1," * 100_000, "\\" * 200_001,
     "\\boxed{" + "{" * 100_000 + "}" * 100_001, "\\text{" * 40_000, "#### " * 40_000, "\n" * 200_000, " " * 200_000],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_long_responses_cost_no_more_than_their_length(text: str) -> None:
    for extraction in ("boxed", "final", "any"):
        judge = verifier(extraction=extraction)
        judge.verify(task_of("25"), rollout_of("\\boxed{y+1/}"))
        started = time.process_time()
        verdict = judge.verify(task_of("25"), rollout_of(text))
        assert time.process_time() - started < 1.0
        assert verdict.status in ("fail", "no_answer", "timeout")


@pytest.mark.parametrize("text", MORE, ids=lambda text: ascii(text[:16]))
def test_hostile_answers(text: str) -> None:
    for gold, prediction in (("25", text), (text if text.strip("\x00 ") else "x", "25"), (text + "+1", text)):
        verdict, seconds = timed(gold, prediction)
        assert seconds < 0.5
        assert verdict.status in ("pass", "fail", "no_answer", "timeout"), verdict
        assert msgspec.json.decode(encode(verdict), type=Verdict) == verdict


def test_an_empty_gold_is_our_fault() -> None:
    spec = VerifierSpec(
        name="math", target="harness_math.verifier:Math", options_model="harness_math.options:MathOptions"
    )
    with Scorer({"math": spec}, workers=1) as scorer:
        empty, wrong = scorer.score_many([(task_of(a), rollout_of("\\boxed{1}")) for a in ("", True)])
    assert empty.status == wrong.status == "infra_error"
    assert "the gold answer is empty" in empty.reason


# Properties --------------------------------------------------------------------------------------

FRAGMENTS = st.sampled_from(
    ["1", "2", "10", "x", "y", "n", "\\pi", "\\frac", "\\sqrt", "{", "}", "(", ")", "[", "]", "+", "-", "/", "*", "^",
     "_", ",", ";", "=", "<", "\\le", "\\cup", "\\in", "\\infty", "\\pm", "!", "%", "^\\circ", "\\text{cm}", "$", "\\{",
     "\\}", "|", " ", "\\\\", "&", "\\begin{pmatrix}", "\\end{pmatrix}", "\\text{ and }", "or", "cm", "sin", "\\log",
     "'", ".", ":", "\\$", "\\left", "\\sum", "e", "i", "0.5", "1,000", "\\binom", "\\boxed{", "\\mid", "\u0663", "９"]
)  # fmt: skip
SOUP = st.lists(FRAGMENTS, min_size=1, max_size=14).map("".join)


def expressions() -> st.SearchStrategy[str]:
    leaves = st.one_of(
        st.integers(0, 99).map(str),
        st.sampled_from(["x", "y", "a", "\\pi", "\\sqrt{2}", "0.5", "\\frac{1}{3}"]),
    )

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.one_of(
            st.tuples(inner, st.sampled_from(["+", "-", "\\cdot "]), inner).map("".join),
            st.tuples(inner, inner).map(lambda p: f"\\frac{{{p[0]}}}{{{p[1]}}}"),
            inner.map(lambda e: f"\\left({e}\\right)^2"),
            inner.map(lambda e: f"\\sqrt{{{e}}}"),
            inner.map(lambda e: f"\\sin({e})"),
        )

    return st.recursive(leaves, grow, max_leaves=6)


PROPERTY = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@PROPERTY
@given(SOUP, SOUP)
@example("\\frac{1}{0}", "\\frac{0}{0}")
@example("0^0", "0^{-1}")
def test_nothing_raises_and_nothing_takes_long(gold: str, prediction: str) -> None:
    if not gold.strip():
        return
    verdict, seconds = timed(gold, prediction)
    assert verdict.status in ("pass", "fail", "no_answer", "timeout")
    assert verdict.score == (1.0 if verdict.status == "pass" else 0.0)
    assert seconds < 2.0


@PROPERTY
@given(SOUP)
def test_an_answer_is_itself(answer: str) -> None:
    verdict = verifier().verify(task_of(answer), rollout_of(f"\\boxed{{{answer}}}"))
    if verdict.extracted == answer:
        assert verdict.status == "pass"


@PROPERTY
@given(expressions())
def test_an_expression_equals_itself_otherwise_dressed(expression: str) -> None:
    dressed = expression.replace("\\frac", "\\dfrac").replace("+", " + ").replace("\\cdot", "\\times")
    assert judged(expression, f"\\displaystyle {dressed}").status == "pass"
    assert judged(f"${expression}$", expression).status == "pass"
    assert judged(f"y = {expression}", expression).status == "pass"


@PROPERTY
@given(expressions(), expressions())
def test_expressions_compare_alike_in_both_directions(a: str, b: str) -> None:
    # A decimal in the gold may stand for what it rounds, which has a direction; these are exact.
    assert judged(a, b).status == judged(b, a).status


@PROPERTY
@given(expressions(), st.integers(1, 9))
def test_a_changed_expression_differs(expression: str, by: int) -> None:
    assert judged(expression, f"{expression} + {by}").status in ("fail", "timeout")


@PROPERTY
@given(st.lists(st.integers(-50, 50), min_size=2, max_size=5, unique=True), st.randoms(use_true_random=False))
def test_lists_and_sets_have_no_order_and_tuples_have(numbers: list[int], random: object) -> None:
    other = numbers[1:] + numbers[:1]
    plain, turned = (", ".join(map(str, members)) for members in (numbers, other))
    assert judged(plain, turned).status == judged(f"\\{{{plain}\\}}", turned).status == "pass"
    assert judged(f"({plain})", f"({turned})").status == "fail"
    assert judged(plain, ", ".join(map(str, numbers[1:]))).status == "fail"


@PROPERTY
@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_integers_are_integers_however_written(a: int, b: int) -> None:
    expected = "pass" if a == b else "fail"
    for form in (
        f"{b:,}",
        f"{b}.0",
        f"\\text{{{b}}}",
        f"x = {b}",
        f"{b:,}".replace(",", "{,}"),
        f"{b} \\text{{ cm}}",
    ):
        assert judged(a, form).status == expected, form
        assert judged(str(b), form).status == "pass", form


@PROPERTY
@given(st.floats(0.001, 1000), st.floats(0.001, 1000), st.floats(1e-6, 10))
def test_tolerance_is_what_the_data_says(gold: float, given_: float, tolerance: float) -> None:
    verdict = judged(f"{gold:.6f}", f"{given_:.6f}", tolerance=tolerance)
    distance = abs(float(f"{gold:.6f}") - float(f"{given_:.6f}"))
    if abs(distance - tolerance) > 1e-9:
        assert verdict.status == ("pass" if distance < tolerance else "fail")
