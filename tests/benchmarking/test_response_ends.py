"""Whether a response was cut, where nobody recorded it: a stated answer is an end without a full stop."""

from __future__ import annotations

import pytest

from harness.benchmarking.cut import looks_cut

WORKING = "Let us add the terms one by one and check each of them twice.\n\n"
WHOLE = [
    "Answer: 204",
    "**204**",
    "#### 204",
    "The final answer is 204",
    "\\boxed{204} cm",
    "So \\boxed{204} \U0001f389",
    "So \\boxed{204}<|im_end|>",
    "- \\boxed{204}",
    "- the total is 204",
    "So it is 204 ∎",
    "So it is so. Q.E.D.",
    "**Answer:** 204",
    "Final answer: 204 meters",
    "A: 18",
    "The answer is $204$",
    "So the answer is **204**",
    "Therefore $\\boxed{204}$ square units",
    "So we are done ✅",
    "hence x=2 $\\blacksquare$",
    "The answer is (B)",
    "### Answer: 204",
    "We add them. The final answer is 204",
    "They are 200 and 4! Thus the total is $204$",
    "We add them. The final answer is therefore 204",
    "答案：204",
    "所以答案是204",
    "Réponse : 204",
    "Antwort: 204",
]
CUT = [
    "We add them. The answer is the sum of",
    "The answer is 204. We check it by adding",
    "which we can now",
    "so that the answer is",
    "Answer:",
    "The answer is the",
    "**Step 2",
    "- the total is",
    "so 204 +",
    "Now the number of ways to choose the",
    "1. First we compute the number of",
    "The sum of these is",
    "#### Step 3: Compute the value of the integral over all",
    "We have that x",
    "- (1, 6",
    "2. **",
    "### Step",
    "the answer is obtained by adding the numbers of all the ways",
    "- **3-digit number",
    "\\[ x = 4",
]


@pytest.mark.parametrize("ending", WHOLE)
def test_a_response_that_ends_with_its_answer_is_whole(ending: str) -> None:
    assert not looks_cut(WORKING + ending)


@pytest.mark.parametrize("ending", CUT)
def test_a_response_that_stops_on_the_way_is_cut(ending: str) -> None:
    assert looks_cut(WORKING + ending)
