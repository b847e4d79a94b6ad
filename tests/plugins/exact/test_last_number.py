"""Verifier `last-number`."""

import time

import pytest
from harness_exact.last_number import LastNumber, LastNumberOptions
from harness_exact.numbers import as_integer, last_boxed, last_number
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import DataError
from harness.contract.records import Finish, Verdict
from tests.support.builders import context, rollout, task


def judged(answer: object, text: str, finish: Finish = "stop", **options: object) -> Verdict:
    verifier = LastNumber(LastNumberOptions.model_validate(options), context())
    return verifier.verify(task(answer), rollout(text, finish))


@pytest.mark.parametrize(
    ("answer", "text", "status"),
    [
        (18, "16 - 3 - 4 = 9, so she makes 9 * 2 = $18 every day.", "pass"),
        ("18", "The answer is 18.", "pass"),
        (18, "#### 18", "pass"),
        (18, "18.00 dollars", "pass"),
        (1234, "It is 1,234", "pass"),
        (1234567, "It is $1{,}234{,}567$", "pass"),
        (10000, r"It is 10,\!000", "pass"),
        ("1,000", "1000", "pass"),
        (-5, "x = -5", "pass"),
        (-5, "x = −5", "pass"),
        (-5, "he owes -$5", "pass"),
        (5, "10-5", "pass"),
        (3, "1, 2, 3", "pass"),
        (0, "-0", "pass"),
        (7, "007", "pass"),
        (50, "50%", "pass"),
        (12, "12kg", "pass"),
        (42.0, "42", "pass"),
        (18, "\\boxed{18} and 3 more words", "pass"),
        (18, "\\boxed{3} no, \\boxed{ 18 }", "pass"),
        (18, "\\boxed{\\$18}", "pass"),
        (2, "\\boxed{\\text{about } 2}", "fail"),
        (23, "123", "fail"),
        (12, "123", "fail"),
        (5, "3.5", "fail"),
        (3, "3.5", "fail"),
        (5, ".5", "fail"),
        (4, "3/4", "fail"),
        (4, "\\frac{3}{4}", "fail"),
        (3, "10^3", "fail"),
        (10, "10^{3}", "fail"),
        (5, "1e5", "fail"),
        (234, "1,234", "fail"),
        (2, "2 + 1.5 = 3.5", "fail"),
        (15, "version 3.14.15", "fail"),
        (2, "H2", "no_answer"),
        (2, "x_2", "no_answer"),
        (18, "no idea", "no_answer"),
        (18, "", "no_answer"),
        ("\\frac{3}{4}", "so \\boxed{\\frac{3} {4}}", "pass"),
        ("\\frac{3}{4}", "so \\boxed{\\frac{4}{3}}", "fail"),
        ("(3, \\pi)", "$(3,\\pi)$", "no_answer"),
        ("north", "\\boxed{ north}", "pass"),
    ],
)
def test_verdicts(answer: object, text: str, status: str) -> None:
    verdict = judged(answer, text)
    assert verdict.status == status
    assert verdict.score == float(status == "pass")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("so 12 + 6 = 18 and", "pass"),
        ("so 12 + 6 = 18", "fail"),
        ("18", "no_answer"),
        ("18,", "no_answer"),
        ("18.", "no_answer"),
        ("\\boxed{18} is", "pass"),
        ("\\boxed{18} and \\boxed{19", "pass"),
    ],
)
def test_a_number_at_the_cut_of_a_truncated_text_does_not_count(text: str, status: str) -> None:
    assert judged(18, text, "length").status == status
    assert judged(18, text, "length", judge_truncated=False).status == "no_answer"


def test_where_it_looks_is_an_option_and_part_of_the_hash() -> None:
    text = "\\boxed{18} is more than 3"
    assert judged(18, text).status == "pass"
    assert judged(3, text, look="text").status == "pass"
    assert judged(3, "just 3", look="boxed").status == "no_answer"
    assert len({judged(3, text, look=look).verifier_hash for look in ("any", "boxed", "text")}) == 3


@pytest.mark.parametrize("answer", [True, 2.5, None, [1]])
def test_answers_of_other_kinds_are_faults_of_the_data(answer: object) -> None:
    with pytest.raises(DataError, match=r"'t', verifier 'last-number': answer .* is neither an integer"):
        judged(answer, "1")


@given(st.integers(-(10**40), 10**40), st.sampled_from(["{}", "{:,}", "${}$", "so {}.", "\\boxed{{{}}}"]))
def test_every_integer_is_read_back(value: int, form: str) -> None:
    assert judged(value, form.format(value)).status == "pass"
    assert judged(value + 1, form.format(value)).status == "fail"


@given(st.from_regex(r"[0-9]{1,6}[.][0-9]*[1-9]", fullmatch=True), st.integers(0, 10**6))
def test_no_part_of_a_decimal_is_an_integer(decimal: str, gold: int) -> None:
    assert judged(gold, f"it is {decimal} metres").status == "fail"


@given(st.text(alphabet="0123456789.,-−$\\{}boxed^/e% \n", max_size=60))
def test_any_text_is_read_without_error_and_numbers_are_pieces_of_it(text: str) -> None:
    for number in (last_number(text), last_boxed(text)):
        assert number is None or number in text
    assert as_integer(text) is None or as_integer(text).lstrip("-").isdigit()  # type: ignore[union-attr]


@pytest.mark.parametrize("piece", ["1", "1,111", "-", "{", "\\boxed{", "\\frac{1}{", "1.", "9^{", "\\"])
def test_long_hostile_texts_cost_little(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    start = time.process_time()
    judged(1, text)
    judged("word", text)
    assert time.process_time() - start < 1.0
