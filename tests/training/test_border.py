"""What plugins return is checked once, and the error says whose it is, what came and what is allowed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import PluginError
from harness.contract.records import Difficulty
from harness.contract.samples import Group
from harness.recipe import Stage
from harness.testing import group_with
from harness.training import border
from tests.support.live_session import LiveRun, answering
from tests.training.test_session_groups import STAGE, end, first_is_right


@pytest.fixture
def run(tmp_path: Path) -> Iterator[LiveRun]:
    made = LiveRun(tmp_path)
    yield made
    made.scorer.close()


class Shaping:
    """Returns what it is told to."""

    def __init__(self, *, rewards: Any = None, advantages: Any = None) -> None:
        self._rewards, self._advantages = rewards, advantages

    def rewards(self, group: Group, label: Difficulty | None) -> Any:
        return group.rewards if self._rewards is None else self._rewards(group)

    def advantages(self, group: Group, label: Difficulty | None) -> Any:
        return group.advantages if self._advantages is None else self._advantages(group)


FAULTS: list[tuple[str, dict[str, Any], str]] = [
    ("a reward too few", {"rewards": lambda g: g.rewards[:-1]}, "returned 3 rewards"),
    ("an advantage too many", {"advantages": lambda g: (*g.advantages, 0.0)}, "returned 5 advantages"),
    ("a mapping", {"advantages": lambda g: dict(enumerate(g.advantages))}, "returned dict as advantages"),
    ("nothing", {"rewards": lambda g: NOTHING}, "returned NoneType as rewards"),
    ("text", {"advantages": lambda g: ["1"] * g.size}, "'1'"),
    ("a nan", {"rewards": lambda g: [float("nan")] * g.size}, "nan"),
    ("an infinite advantage", {"advantages": lambda g: [float("inf")] * g.size}, "inf"),
    ("a truth", {"rewards": lambda g: [True] * g.size}, "True"),
    ("credit of another length", {"advantages": lambda g: [[0.5]] * g.size}, "1 advantages for the tokens"),
    ("credit that is no number", {"advantages": lambda g: [[0.5, None]] * g.size}, "None"),
]
NOTHING: Any = None


@pytest.mark.parametrize(("what", "returns", "words"), FAULTS, ids=[what for what, _, _ in FAULTS])
def test_a_faulty_shaper_is_named_and_nothing_is_recorded(
    run: LiveRun, what: str, returns: dict[str, Any], words: str
) -> None:
    session = run.session(Stage.model_validate(STAGE), shapers=[Shaping(**returns)])
    with pytest.raises(PluginError, match="Shaping") as raised:
        session.collect(answering(session, first_is_right))
    assert words in str(raised.value)
    assert [line for line in run.lines() if line["t"] == "group"] == []


def test_arrays_of_numpy_are_welcome(run: LiveRun) -> None:
    halved = Shaping(
        rewards=lambda g: np.array([r / 2 for r in g.rewards], dtype=np.float32),
        advantages=lambda g: np.array(g.advantages) * 2,
    )
    session = run.session(Stage.model_validate(STAGE), shapers=[halved])
    batch = session.collect(answering(session, first_is_right))
    assert batch.groups[0].rewards == (0.5, 0.0, 0.0, 0.0)
    end(session, batch)


def test_a_shaper_may_give_each_token_its_own_advantage(run: LiveRun) -> None:
    by_token = Shaping(advantages=lambda g: np.array([[a, 3 * a] for a in g.advantages]))
    session = run.session(Stage.model_validate(STAGE), shapers=[by_token])
    (group, *_) = session.collect(answering(session, first_is_right)).groups
    assert group.samples[0].credit is not None
    low, high = group.samples[0].credit
    assert (3 * low, group.samples[0].advantage) == (pytest.approx(high), pytest.approx(2 * low))


def test_what_could_not_be_judged_earns_nothing_by_shaping() -> None:
    lost = group_with([1.0, None])
    assert border.rewards([0.5, None], lost, "x") == [0.5, None]
    with pytest.raises(PluginError, match="could not be judged"):
        border.rewards([0.5, 0.5], lost, "x")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_finite_numbers_pass_unchanged(values: list[float]) -> None:
    group = group_with([0.0] * len(values))
    assert border.advantages(values, group, "x") == values
    assert border.advantages(np.array(values), group, "x") == values


@pytest.mark.parametrize("value", [None, 1, "yes", [True]])
def test_a_gate_says_true_or_false(value: Any) -> None:
    assert border.keeps(np.True_, "g") is True
    with pytest.raises(PluginError, match="gate 'g'"):
        border.keeps(value, "g")


@pytest.mark.parametrize("value", [None, "task", ["task"], [3], 7])
def test_a_curriculum_gives_tasks(value: Any) -> None:
    with pytest.raises(PluginError, match="curriculum 'c'"):
        border.tasks(value, 4, "c")
