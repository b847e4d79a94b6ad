"""Answers as people write them, each labelled from the mathematics and the policies before it was tried.

`labelled.jsonl` beside this file has a gold, a response and whether it is right on each line, by kind.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.support.math_kit import rollout_of, task_of, verifier

CASES: dict[str, list[dict[str, Any]]] = defaultdict(list)
for line in (Path(__file__).parent / "labelled.jsonl").read_text(encoding="utf-8").splitlines():
    case = json.loads(line)
    CASES[case["kind"]].append(case)


@pytest.mark.parametrize("kind", CASES)
def test_a_response_is_judged_as_it_is_labelled(kind: str) -> None:
    verdicts = [
        verifier(extraction=case["extraction"]).verify(task_of(case["gold"]), rollout_of(case["response"]))
        for case in CASES[kind]
    ]
    wrong = [
        (case["gold"], case["response"], verdict.status, verdict.reason)
        for case, verdict in zip(CASES[kind], verdicts, strict=True)
        if (verdict.status == "pass") != case["right"]
    ]
    assert wrong == []


@pytest.mark.parametrize("kind", CASES)
def test_each_kind_has_at_least_ten_cases(kind: str) -> None:
    assert len(CASES[kind]) >= 10
