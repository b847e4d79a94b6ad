"""The curricula that size groups under the suite of their kind."""

from __future__ import annotations

from typing import Any

from tests.support.curricula import suites

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "speed": ("speed", {}),
    "pilot-commit": ("pilot-commit", {}),
    "pilot-commit-without-exclusion": ("pilot-commit", {"exclude_after": 0, "most": 2}),
    "knapsack": ("knapsack", {}),
    "knapsack-neighbours": ("knapsack", {"neighbours": 0.5, "most": 16}),
    "reinforce-ada": ("reinforce-ada", {}),
    "reinforce-ada-positive": ("reinforce-ada", {"until": "positive"}),
    "dars": ("dars", {}),
    "dars-hardness": ("dars", {"schedule": "hardness"}),
    "hora": ("hora", {}),
    "learnability-pilot": ("learnability-pilot", {}),
}
globals().update(suites(CASES))
