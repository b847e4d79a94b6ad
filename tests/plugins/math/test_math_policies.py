"""The policies of docs/reference/verifier-math.md are executable: page, table of cases and code say the same."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from tests.support.math_kit import rollout_of, task_of, verifier
from tests.support.places import ROOT

DOCS = ROOT / "docs" / "reference"
POLICIES: list[dict[str, Any]] = tomllib.loads((DOCS / "verifier-math.toml").read_text(encoding="utf-8"))[
    "policy"
]
CASES = [
    pytest.param(case, id=f"policy-{policy['number']}-{i}")
    for policy in POLICIES
    for i, case in enumerate(policy["cases"])
]


@pytest.mark.parametrize("case", CASES)
def test_a_policy_holds(case: dict[str, Any]) -> None:
    options = {"extraction": "boxed"} | {k: case[k] for k in ("extraction", "thinking") if k in case}
    response = case["response"] if "response" in case else f"So \\boxed{{{case['answer']}}}."
    verdict = verifier(**options).verify(
        task_of(case["gold"]), rollout_of(response, case.get("finish", "stop"))
    )
    assert verdict.status == case["verdict"], verdict


def test_the_page_says_what_the_cases_show() -> None:
    page = (DOCS / "verifier-math.md").read_text(encoding="utf-8")
    section = page.partition("## Decided policies")[2].partition("\n## ")[0]
    said = {
        int(m[1]): " ".join(m[2].split())
        for m in re.finditer(r"^(\d+)\. (.+?)(?=\n\d+\. |\n\n|\Z)", section, re.M | re.S)
    }
    assert said == {policy["number"]: policy["says"] for policy in POLICIES}


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: str(policy["number"]))
def test_each_policy_has_cases_of_both_kinds(policy: dict[str, Any]) -> None:
    verdicts = [case["verdict"] for case in policy["cases"]]
    assert len(verdicts) >= 3
    assert "pass" in verdicts
    assert set(verdicts) - {"pass"}
