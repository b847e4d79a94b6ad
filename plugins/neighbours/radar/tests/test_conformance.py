"""What every plugin of its kind must do."""

from pathlib import Path

import pytest
from harness.statistics.irt import Ability, Item, Scale, write_scale
from harness.testing import EngineConformance, MetricConformance


class TestRouter(EngineConformance):
    """Between two configurations of `echo`, of which the cheap one may write three tokens."""

    name = "staged-harness-radar/router"
    prompts = ["6*7=", "a longer query of many words, which is harder than the other one"]
    stochastic = False
    options = {
        "scale": "scale.json",
        "weight": 0.6,
        "configurations": [
            {"name": "small", "engine": {"name": "echo", "text": "forty-two"}, "price": 1.0, "max_tokens": 3},
            {"name": "large", "engine": {"name": "echo", "text": "forty-two"}, "price": 5.0},
        ],
    }

    @pytest.fixture(autouse=True)
    def scale(self, tmp_path: Path) -> None:
        """The first query is easy, the second hard."""
        abilities = {"small": Ability(-1.0, 0.1, tokens=3.0), "large": Ability(2.0, 0.1, tokens=9.0)}
        items = {"task-0": Item(1.5, -2.0), "task-1": Item(1.5, 1.0)}
        write_scale(Scale(items, abilities), tmp_path / "scale.json")

    @pytest.fixture
    def decode(self):
        """The tokens of `echo` are bytes."""
        return lambda ids: bytes(ids).decode()

    def test_both_configurations_answer(self, engine):
        """Otherwise the suite has seen one of them only."""
        assert {engine.chosen(request) for request in self.requests()} == {0, 1}


class TestHypervolume(MetricConformance):
    name = "staged-harness-radar/hypervolume"
