"""Gate `mixed-outcomes` and shaper `length-penalty`."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from harness_curricula.length_penalty import LengthPenalty
from harness_curricula.mixed_outcomes import MixedOutcomes
from harness_curricula.options import LengthPenaltyOptions, MixedOutcomesOptions
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.advantages import group_advantages
from harness.contract.records import Difficulty, PolicyRef
from harness.contract.samples import Group
from harness.contract.sessions import Batch
from harness.plugging.plugins import LOCAL_FILE, load
from harness.testing import Workbench
from harness.testing.groups import group_with
from harness.training.metrics import group_metrics


def group(rewards: list[float | None], lengths: list[int]) -> Group:
    return group_with(rewards, lengths=lengths)


def label(samples: int, passes: int) -> Difficulty:
    return Difficulty(
        subject="s", model="policy", policy=PolicyRef(weights_sha="0"), samples=samples, passes=passes
    )


def test_mixed_outcomes_keeps_what_has_a_gradient() -> None:
    gate = MixedOutcomes(MixedOutcomesOptions(max_refills=3))
    assert gate.max_refills == 3
    assert gate.keep(group([1, 0, 0], [1, 1, 1]))
    assert not gate.keep(group([1, 1, 1], [1, 1, 1]))
    assert not gate.keep(group([0, 0, None], [1, 1, 1]))
    assert not gate.keep(group([None, None], [1, 1]))


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0, None]), min_size=1), st.sampled_from(["sample", "none"]))
def test_without_shapers_mixed_groups_are_those_that_carry_a_signal(
    rewards: list[float | None], std: Any
) -> None:
    made = group(rewards, [1] * len(rewards))
    made = made.with_advantages(group_advantages(made.rewards, epsilon=1e-6, std=std))
    assert made.signal == made.mixed


@pytest.mark.parametrize(
    ("rewards", "advantages", "signal"),
    [
        ([1, 1, 1], (0.5, 0.5, 0.5), True),
        ([0, 0, 0], (-0.1, 0.0, 0.0), True),
        ([1, 0, 0], (0.0, 0.0, 0.0), False),
        ([1, 0, None], (0.0, 0.0, 1.0), False),
    ],
)
def test_advantages_say_whether_a_group_carries_a_signal_and_rewards_whether_it_is_kept(
    rewards: list[float | None], advantages: tuple[float, ...], signal: bool
) -> None:
    made = group(rewards, [1, 1, 1]).with_advantages(advantages)
    assert made.signal is signal
    assert group_metrics("s", 1, Batch((made,), 0, 3, 3)).zero_variance_groups == 1 - signal
    kept = MixedOutcomes(MixedOutcomesOptions()).keep(made)
    assert kept is (len(set(rewards)) > 1), "what shapers make of the advantages is not the gate's business"


SHAPERS = """
from harness import hookimpl

class Shaper:
    def __init__(self, options, context):
        pass

    def rewards(self, group, label):
        return group.rewards

class Fixed(Shaper):
    def advantages(self, group, label):
        return [reward - 0.5 for reward in group.rewards]

class Silent(Shaper):
    def advantages(self, group, label):
        return [0.0] * group.size

@hookimpl
def register_shapers(register):
    register("fixed", "harness_plugin:Fixed")
    register("silent", "harness_plugin:Silent")
"""


@pytest.mark.parametrize(("shaper", "share"), [("fixed", 0.0), ("silent", 1.0)])
def test_a_step_counts_groups_without_signal_by_what_its_shapers_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shaper: str, share: float
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / LOCAL_FILE).write_text(SHAPERS)
    record = Workbench(tmp_path, load(local=tmp_path / LOCAL_FILE)).run(sim(f"local/{shaper}"))
    groups = [line["group"] for line in record.lines("group")]
    mixed = [len(set(g["rewards"])) > 1 for g in groups]
    assert True in mixed
    assert False in mixed
    assert [m.zero_variance_groups for m in record.metrics()] == [share] * 2
    assert all((m.grad_norm == 0) is (share == 1) for m in record.metrics())


def sim(shaper: str) -> dict[str, Any]:
    """Two steps of the simulated student with a shaper."""
    return {
        "name": "shaped",
        "model": {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"},
        "tasks": {"train": [{"name": "sim-irt", "count": 12, "low": -3.0, "high": 6.0}]},
        "trainer": {"name": "sim"},
        "stages": [
            {
                "name": "all",
                "max_steps": 2,
                "shapers": [shaper],
                "rollout": {"n": 4, "batch": 24, "max_tokens": 4000},
            }
        ],
    }


def test_length_costs_right_answers_more_where_the_task_is_easy() -> None:
    shaper = LengthPenalty(LengthPenaltyOptions(strength=0.4))
    both = group([1, 1, 0, None], [10, 30, 50, 60])
    easy, hard = shaper.rewards(both, label(98, 98)), shaper.rewards(both, label(98, 0))
    assert easy[0] == hard[0] == 1
    assert easy[1] == 1 - 0.4 * 0.99
    assert hard[1] == 1 - 0.4 * 0.01
    assert list(easy[2:]) == list(hard[2:]) == [0, None]


@given(
    outcomes=st.lists(st.tuples(st.sampled_from([0.0, 1.0, None]), st.integers(1, 999)), min_size=1),
    strength=st.floats(0, 0.99),
    samples=st.one_of(st.none(), st.integers(0, 50)),
)
def test_a_right_answer_always_beats_a_wrong_one_and_shorter_never_earns_less(
    outcomes: list[tuple[float | None, int]], strength: float, samples: int | None
) -> None:
    seen = group([r for r, _ in outcomes], [n for _, n in outcomes])
    known = None if samples is None else label(samples, samples)
    shaped = LengthPenalty(LengthPenaltyOptions(strength=strength)).rewards(seen, known)
    right = sorted((n, r) for (o, n), r in zip(outcomes, shaped, strict=True) if o == 1 and r is not None)
    assert all(r > 0 for _, r in right)
    assert all(a[1] >= b[1] for a, b in itertools.pairwise(right) if a[0] < b[0])
    assert [r for (o, _), r in zip(outcomes, shaped, strict=True) if o != 1] == [
        o for o, _ in outcomes if o != 1
    ]
    assert (
        LengthPenalty(LengthPenaltyOptions()).advantages(seen.with_advantages([0.5] * seen.size), known)
        == (0.5,) * seen.size
    )


def test_state_of_gates_and_shapers_goes_on_in_a_resumed_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each counts the groups it saw; after a crash the counts are those of an unbroken run."""
    seen: dict[str, list[int]] = {}

    def counting(base: type, name: str) -> type:
        class Counting(base):  # type: ignore[misc]
            groups = 0

            def state_dict(self) -> dict[str, int]:
                return {"groups": self.groups}

            def load_state_dict(self, state: dict[str, int]) -> None:
                self.groups = state["groups"]

            def _count(self) -> None:
                self.groups += 1
                seen.setdefault(name, []).append(self.groups)

            def keep(self, group: Group) -> bool:
                self._count()
                return bool(super().keep(group))

            def rewards(self, group: Group, label: Difficulty | None) -> Any:
                self._count()
                return super().rewards(group, label)

        return Counting

    for base in (MixedOutcomes, LengthPenalty):
        monkeypatch.setattr(f"{base.__module__}.{base.__name__}", counting(base, base.__name__))
    values = {
        "name": "state",
        "model": {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"},
        "tasks": {"train": [{"name": "sim-irt", "count": 8, "low": -1.0, "high": 1.0}]},
        "trainer": {"name": "sim"},
        "checkpoints": {"every_steps": 3, "min_free_gb": 0.0},
        "stages": [
            {
                "name": "all",
                "max_steps": 8,
                "rollout": {"n": 4, "batch": 4},
                "gates": ["mixed-outcomes"],
                "shapers": ["length-penalty"],
            }
        ],
    }
    bench = Workbench(tmp_path, load())
    bench.run(values, "whole")
    whole = {name: counts[-1] for name, counts in seen.items()}
    assert set(whole) == {"MixedOutcomes", "LengthPenalty"}
    assert bench.run(values, "broken", crash_after=5).crashed
    bench.run(values, "broken")
    assert {name: counts[-1] for name, counts in seen.items()} == whole
