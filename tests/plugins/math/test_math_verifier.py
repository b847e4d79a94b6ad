"""The verifier `math` as a verifier: the conformance suite, gold answers of every type, its hash, and
its agreement with cases that other projects labelled."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from harness_math.options import MathOptions

from harness.scoring import Scorer, VerifierSpec
from harness.testing.verifier import VerifierCase, VerifierConformance
from tests.support.math_kit import judged, rollout_of, task_of, verifier
from tests.support.places import DATA

LABELLED = DATA / "verify" / "verify_cases.jsonl"


class TestMath(VerifierConformance):
    name = "math"
    #: A box is whole wherever the response was cut.
    truncated_may_pass = True
    cases = [
        VerifierCase(
            task=task_of("\\frac{1}{2}"),
            right=["So it is $\\boxed{0.5}$.", "<think>2?</think> \\boxed{\\tfrac12}"],
            wrong=["\\boxed{2}", "\\boxed{0.05}", "<think>\\boxed{0.5}", "half of \\boxed{0.5", ""],
        ),
        VerifierCase(task=task_of("(1, 2]"), right=["\\boxed{1 < x \\le 2}"], wrong=["\\boxed{[1, 2]}"]),
    ]


@pytest.mark.parametrize(
    ("answer", "spec", "right", "wrong"),
    [
        (25, {}, "025", "26"),
        (0.5, {}, "1/2", "1/3"),
        ("25", {"type": "integer"}, "25", "25.5"),
        # Alternatives, or all of a list.
        (["1/2", "2/3"], {}, "2/3", "1/2, 2/3"),
        (["1/2", "2/3"], {"multiple": True}, "2/3, 1/2", "2/3"),
        (["3", "4"], {"multiple": True}, "\\{3,4\\}", "3,4,5"),
        ("3,4", {"multiple": True}, "4,3", "4"),
        # Tolerance and unit only where the data says so.
        ("9.8", {"tolerance": 0.1}, "9.85", "9.95"),
        ("9.8", {}, "9.80", "9.85"),
        ("100", {"unit": "cm"}, "1 \\text{ m}", "1 \\text{ cm}"),
        ("100", {"unit": "cm"}, "100", "1"),
        ("1.5, 2.5", {"tolerance": 0.01, "multiple": True}, "2.505, 1.495", "2.5, 1.6"),
        ("B", {"type": "choice"}, "(b)", "(c)"),
        ("Some long working. Thus \\boxed{7}.", {}, "7", "8"),
        ("We get \\boxed{1} and \\boxed{-2}.", {}, "-2, 1", "1"),
    ],
)
def test_gold_answers_of_every_type(answer: Any, spec: dict[str, Any], right: str, wrong: str) -> None:
    assert judged(answer, right, **spec).status == "pass"
    assert judged(answer, wrong, **spec).status == "fail"


def test_a_verdict_says_what_was_extracted_and_why() -> None:
    verdict = judged("\\frac{1}{2}", "0.5")
    assert (verdict.extracted, verdict.reason) == ("0.5", "boxed; compared")
    assert judged("25", "25").reason == "boxed; same text"
    assert judged("25", "+025").reason == "boxed; integers"
    assert judged("2", "|(1,2)|").reason == "boxed; math-verify"
    assert judged("\\nabla f", "\\nabla g").reason == "boxed; not understood"


def test_the_hash_covers_code_options_and_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.recording import provenance

    plain = verifier().hash
    assert verifier(thinking="prefilled").hash != plain
    # Without the library its version does not matter; with it, it does.
    monkeypatch.setattr(provenance, "version", lambda name: "0")
    fresh = type(verifier())
    context: Any = None
    assert fresh(MathOptions(), context).hash != plain
    alone = verifier(library=False).hash
    assert fresh(MathOptions(library=False), context).hash == alone


def test_what_cannot_be_read_fails_without_the_library() -> None:
    judge = verifier(library=False)
    verdict = judge.verify(task_of("\\nabla f"), rollout_of("\\boxed{\\nabla g}"))
    assert (verdict.status, verdict.reason) == ("fail", "boxed; not understood")


@pytest.mark.skipif(not LABELLED.exists(), reason=f"no {LABELLED}: set HARNESS_DATA")
def test_agreement_with_labelled_cases_exceeds_every_peer() -> None:
    """Against the best published grader (94.3, 95.5 and 92.7 %, tuned on these cases) and math-verify's
    five false positives; through the pool, as everything is judged."""
    rows = [json.loads(line) for line in LABELLED.read_text().splitlines()]
    rows = [row for row in rows if not row["suspect"]]
    spec = VerifierSpec(
        name="math",
        target="harness_math.verifier:Math",
        options={"extraction": "any"},
        options_model="harness_math.options:MathOptions",
        preload=("harness_math.warm",),
    )
    with Scorer({"math": spec}) as scorer:
        verdicts = scorer.score_many([(task_of(r["gold"]), rollout_of(r["prediction"])) for r in rows])
    assert {v.status for v in verdicts} <= {"pass", "fail", "no_answer", "timeout"}
    counts = Counter((r["expected"], v.status == "pass") for r, v in zip(rows, verdicts, strict=True))
    apart = [
        r["expected"] == (v.status == "pass")
        for r, v in zip(rows, verdicts, strict=True)
        if r["source_repo"] != "huggingface/Math-Verify"
    ]
    right = (counts[True, True] + counts[False, False]) / len(rows)
    sensitivity = counts[True, True] / (counts[True, True] + counts[True, False])
    specificity = counts[False, False] / (counts[False, False] + counts[False, True])
    assert right > 0.943
    assert (sensitivity + specificity) / 2 > 0.955
    assert sum(apart) / len(apart) > 0.927
    assert counts[False, True] <= 5
