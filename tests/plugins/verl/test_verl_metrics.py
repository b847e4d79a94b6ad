"""verl's metrics on their way to the driver: what is not a number, and what is not finite."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from harness_verl_worker.metrics import JUDGED, sendable


def test_numbers_of_any_kind_are_sent() -> None:
    sent = sendable({"a": 1, "b": np.float32(0.5), "c": np.int64(3), "d": "text", "e": [1.0], "f": None})
    assert sent == {"a": 1.0, "b": 0.5, "c": 3.0}
    assert {type(value) for value in sent.values()} == {float}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_what_is_not_finite_arrives_where_a_step_is_judged_by_it(value: float) -> None:
    sent = json.loads(json.dumps(sendable({"side": value, **dict.fromkeys(JUDGED, value)}), allow_nan=False))
    assert set(sent) == set(JUDGED)
    for name in JUDGED:
        assert float(sent[name]) == value or math.isnan(float(sent[name])) is math.isnan(value) is True
