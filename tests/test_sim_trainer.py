"""Trainer `sim`: it conforms, and its student learns as the formulas say."""

from __future__ import annotations

from harness.testing import TrainerConformance


class TestSimConformance(TrainerConformance):
    trainer = {"name": "sim"}
    model = {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"}
    tasks = [{"name": "sim-irt", "count": 5, "low": -2.0, "high": 2.0}]
    heldout = [{"name": "sim-irt", "count": 3, "low": -2.0, "high": 2.0, "split": "heldout"}]
    max_tokens = 256
