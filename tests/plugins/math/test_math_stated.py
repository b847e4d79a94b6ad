"""Answers that are stated and not boxed: extraction `any` takes what a clause states, and no more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from harness_exact.last_number import LastNumber, LastNumberOptions

from harness.contract.protocols import BuildContext
from harness.recipe import Resources
from tests.support.math_kit import rollout_of, task_of, verifier
from tests.support.places import DATA

GSM8K = DATA / "benchmarks" / "gsm8k_test.jsonl"

#: Gold and response: what a clause states, whatever stands behind it.
RIGHT = [
    # ways to end
    ('42', 'The final answer is 42'), ('42', 'Therefore, the final answer is: **42**'), ('42', '**Final Answer:** 42'), ('42', 'Final Answer\n42'), ('42', '### Final Answer\n\n42'), ('42', '**Answer**: 42.'),
    ('42', 'So, the answer is 42!'), ('42', 'Hence the answer: 42'), ('42', 'My answer is 42.'), ('42', 'Answer = 42'), ('42', 'The correct answer is 42, I believe.'), ('42', 'The answer is 42 (see above).'),
    ('42', 'The answer should be 42.'), ('42', 'This gives us an answer of 42.'), ('42', 'Thus, x = 42.'), ('42', 'There are 42 ways.'), ('42', 'We get 42.'), ('42', 'Total: 42'), ('42', 'It costs 42 dollars.'),
    ('42', 'It costs $42.'), ('42', '= 42'), ('42', 'Result: 42'), ('3/4', 'The probability is 3/4.'), ('3/4', 'The probability is \\(\\frac{3}{4}\\).'), ('3/4', 'The answer is $\\frac{3}{4}$, which equals 0.75.'),
    ('0.75', 'The answer is 0.75.'), ('-5', 'The answer is -5.'), ('-5', 'The answer is −5.'), ('1,234', 'The answer is 1,234.'), ('1234', 'The answer is 1,234, as required.'), ('12.5', 'The answer is $12.50.'),
    ('x=3', 'The solution is x = 3.'), ('(1,2)', 'The solution is (1, 2).'), ('2x+3', 'The answer is 2x + 3.'), ('1, 2, 3', 'The answers are 1, 2, and 3.'), ('B', 'The answer is (B).'), ('B', 'Answer: B'),
    ('B', 'The correct option is B.'), ('5', 'The answer is $5$ because $2+3=5$.'), ('5', 'We have $2+3=5$.'), ('5', 'So $x=5$.'), ('7', 'Answer: 7 apples'), ('50\\%', 'The answer is 50%.'),
    ('50', 'The answer is 50 percent.'), ('10 m', 'The answer is 10 m.'), ('2\\sqrt{3}', 'The answer is $2\\sqrt{3}$.'), ('2\\sqrt{3}', 'So the length is \\[2\\sqrt{3}.\\]'), ('17', '#### 17'),
    ('17', 'The answer is 17.\n\nLet me know if you have questions!'), ('17', 'The answer is 17. I am confident in this.'), ('17', 'Answer: 17\n\nExplanation: 10 + 7 = 17'),
    ('17', 'I think it is 17, but let me check. 10+7 = 17. Yes, the answer is 17.'), ('100', 'She has $100 left.'), ('3', 'The number of solutions is three.'), ('3:30 PM', 'The time is 3:30 PM.'),
    ('8 hours', 'It takes 8 hours.'), ('1/2', 'The answer is ½.'), ('5', '<answer>5</answer>'), ('5', '<answer> 5 </answer> because 2+3'), ('5', 'The answer is: $$5$$'), ('5', 'The answer is \\(5\\)'),
    ('no', 'The answer is no.'), ('yes', 'Yes. The answer is yes, because 4 is even.'), ('Monday', 'The answer is Monday, since...'), ('x^2', 'the answer is $x^2$ for all $x$'),
    # a clause behind the answer
    ("35", "The answer is 35, counting both trips, so she needs a bigger bag."), ("7", "The answer is 7, not 8."), ("72", "#### 72, altogether"), ("5", "The answer is x = 5, since 2x = 10."), ("72", "The answer is 72 (48 + 24)."),
    ("1/2", "The answer is 1/2 because of symmetry."), ("12", "The answer is 12 — as required."), ("12", "The answer is 12, as required"), ("5", "The answer is 5 while the other is 6."), ("4", "The answer is **4**, so we are done."),
    ("12", "The result is 12 and that is final"), ("35", "The final answer is 35 dollars, which is enough."), ("x=2", "The answer is x = 2 (the other root is negative)."), ("(0,0)", "The answer is (0, 0), the origin."), ("3, 4", "The answer is 3 and 4."), ("3, 4", "The answer is 3, 4"),
    ("35", "The answer is 35 apples in total."), ("5", "The answer is $x = 5$, since the other root is negative."),
    # the value of what is named
    ("34", "So the largest n is 34."), ("34", "So the largest $n$ is 34."), ("34", "The answer is: the largest n is 34"), ("17", "He has 20 - 3 = 17 apples left."), ("2", "Hence $x$ equals 2."), ("9", "So the value of $f(3)$ is 9."), ("6", "Therefore $n$ = 6"),
    # thousands and prices
    ("7350", "So they raised $7{,}350."), ("7350", "So they raised $7,350."), ("7350", r"So they raised 7\,350 dollars."), ("7350", "They raised 7 350 in all."), ("1234567", "It is 1{,}234{,}567 in total"), ("26", "Tickets are $8 and drinks $18, a total of $26"),
    ("26", "They cost $8 + $18 = $26."), ("10", "The total is $10 - $4 = $6. The answer is $10, not $6."), ("12.50", "Each pays $12.50 of the $25 bill, that is $12.50"), ("5", "A pen is $2 and a pad is $3; both are $5."),
    # letters and their reasons
    ("B", "The answer is B because it is larger"), ("B", "The answer is (B) since it is larger."), ("B", "Answer: B. It is larger."),
    # the last line of GSM8K's own solutions
    ("18", "Each day...\nA: 18"), ("70000", "profit is $<<200000-130000=70000>>70,000\nA: 70000"),
]  # fmt: skip

WRONG = [
    ("350", "So they raised $7{,}350."), ("8", "Tickets are $8 and drinks $18, a total of $26"), ("8", "The answer is 7, not 8."), ("24", "The answer is 72 (48 + 24)."), ("8", "The answer is 7 or 8."), ("7", "The answer is 7 or 8."),
    ("567", "It is 1{,}234{,}567 in total"), ("7", "They raised 7 350 in all."), ("6", "The answer is 5 while the other is 6."), ("A", "The answer is A or B."), ("8", "The answer is 7 \\approx 8."), ("3", "They have 5-3 = 2."),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "response"), RIGHT)
def test_a_stated_answer_ends_where_its_clause_ends(gold: str, response: str) -> None:
    verdict = verifier(extraction="any").verify(task_of(gold), rollout_of(response))
    assert verdict.status == "pass", verdict


@pytest.mark.parametrize(("gold", "response"), WRONG)
def test_what_is_not_stated_is_no_answer(gold: str, response: str) -> None:
    verdict = verifier(extraction="any").verify(task_of(gold), rollout_of(response))
    assert verdict.status == "fail", verdict


@pytest.mark.skipif(not GSM8K.exists(), reason=f"no {GSM8K}: set HARNESS_DATA")
def test_gsm8k_solutions_state_their_answers() -> None:
    """As their authors end them, and as the line that other tools ask for; and no other number passes."""
    context = BuildContext(seed=0, cache=Path(), data=None, build=lambda *_: None, resources=Resources())
    plain = LastNumber(LastNumberOptions(), context)
    rows = [json.loads(line) for line in GSM8K.read_text().splitlines()]
    judge = verifier(extraction="any")
    for row in rows[::3]:
        gold, working = str(row["answer"]), str(row["solution"]).partition("####")[0]
        other = str(int(gold.replace(",", "")) + 1)
        for ending in (f"#### {gold}", f"A: {gold}", f"The answer is {gold}.", f"Answer: {gold}"):
            rollout = rollout_of(working + ending)
            assert judge.verify(task_of(gold), rollout).status == "pass", rollout.text
            assert (
                judge.verify(task_of(other), rollout).status == plain.verify(task_of(other), rollout).status
            )
