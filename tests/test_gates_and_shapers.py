"""Gate `mixed-outcomes` and shaper `length-penalty`."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_curricula.length_penalty import LengthPenalty
from harness_curricula.mixed_outcomes import MixedOutcomes
from harness_curricula.options import LengthPenaltyOptions, MixedOutcomesOptions
from hypothesis import given
from hypothesis import strategies as st

from harness.plugins import load
from harness.records import Difficulty, Group, PolicyRef
from harness.testing import Workbench


def group(rewards: list[float | None], lengths: list[int]) -> Group:
    return Group(
        task="t", subject="s", step=0, rollouts=None,
        statuses=tuple("infra_error" if r is None else "pass" if r == 1 else "fail" for r in rewards),
        scores=tuple(rewards), rewards=tuple(rewards), lengths=tuple(lengths),
        truncated=(False,) * len(rewards),
    )  # fmt: skip


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
        LengthPenalty(LengthPenaltyOptions()).advantages(replace(seen, advantages=(0.5,) * seen.size), known)
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
