"""The adaptive curricula under the suite of their kind, with defaults and with options that take other
paths.
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from harness.testing import MemoryPool, group_of
from tests.support.curricula import context, suites

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "adarft": ("adarft", {}),
    "sec": ("sec", {}),
    "sec-levels": ("sec", {"levels": 4, "neighbours": 0.5}),
    "dump": ("dump", {}),
    "dump-levels": ("dump", {"levels": 4, "neighbours": 0.5}),
    "e2h-cosine": ("e2h-cosine", {}),
    "e2h-cosine-subjects": ("e2h-cosine", {"levels": 0}),
    "e2h-gaussian": ("e2h-gaussian", {"floor": 0.01}),
    "greso": ("greso", {}),
    "greso-neighbours": ("greso", {"neighbours": 0.3}),
    "mopps": ("mopps", {}),
    "mopps-neighbours": ("mopps", {"neighbours": 0.3}),
    "pcl": ("pcl", {}),
    "pcl-one": ("pcl", {"candidates": 1, "memory": 0.0}),
    "vcrl": ("vcrl", {}),
    "vcrl-neighbours": ("vcrl", {"neighbours": 0.9}),
    "prompt-replay": ("prompt-replay", {"cooldown": 0}),
    "prompt-replay-neighbours": ("prompt-replay", {"neighbours": 0.3}),
    "learnability-neighbours": ("learnability", {"neighbours": 0.3}),
}
globals().update(suites(CASES))


@pytest.mark.parametrize("case", CASES)
def test_a_million_subjects_are_drawn_from_in_a_fraction_of_a_second(case: str, harness_build: Any) -> None:
    pool = MemoryPool({"s0": 0.5})
    pool.subjects = [f"s{i}" for i in range(1_000_000)]
    name, options = CASES[case]
    curriculum = harness_build("curricula", name, **options)
    curriculum.next(128, context(pool, 0))
    start, steps = time.process_time(), 5
    for step in range(1, steps + 1):
        for i, task in enumerate(curriculum.next(128, context(pool, step))):
            curriculum.observe(group_of(task.subject, i % 9))
    assert (time.process_time() - start) / steps < 1.0
    assert len(json.dumps(curriculum.state_dict())) < 1_000_000
