"""What of a step reaches TRL, row by row."""

from __future__ import annotations

import pytest
import torch
from harness_trl.rows import rewards, step_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract.advantages import group_advantages
from harness.contract.records import Finish, Message, PolicyRef, Rollout, RolloutKey, Sampling, Task
from harness.contract.samples import Group
from harness.testing import group_with

TASKS = {
    name: Task(id=name, prompt=(Message("user", name),), verifier="exact", answer="1") for name in ("a", "b")
}


def group(name: str, members: list[tuple[float | None, int, Finish]]) -> Group:
    rollouts = tuple(
        Rollout(
            key=RolloutKey("run", "train", "s", 1, name, i),
            prompt_ids=(5,) * (3 if name == "a" else 2),
            completion_ids=tuple(range(10, 10 + length)),
            text="",
            finish=finish,
            policy=PolicyRef(weights_sha=""),
            sampling=Sampling(),
        )
        for i, (_, length, finish) in enumerate(members)
    )
    given = tuple(None if finish == "abort" else reward for reward, _, finish in members)
    advantages = group_advantages(given, epsilon=1e-6, std="sample")
    return group_with(given, rollouts=rollouts, advantages=advantages, task=name, subject=name, step=1)


MEMBER = st.tuples(
    st.sampled_from([0.0, 1.0, None]), st.integers(0, 4), st.sampled_from(["stop", "length", "abort"])
)


@settings(max_examples=60, deadline=None)
@given(
    one=st.lists(MEMBER, min_size=3, max_size=3),
    other=st.lists(MEMBER, min_size=3, max_size=3),
    mask=st.booleans(),
    spare=st.integers(0, 4),
)
def test_what_does_not_count_leaves_loss_and_normalisation(
    one: list[tuple[float | None, int, Finish]],
    other: list[tuple[float | None, int, Finish]],
    mask: bool,
    spare: int,
) -> None:
    groups = [group("a", one), group("b", other)]
    rows = step_rows(groups, TASKS, 6 + spare, mask_truncated=mask, pad=0, logprobs={})
    assert len(rows.rows) == 6 + spare
    expected = [
        (
            reward is not None and finish != "abort" and length > 0 and not (mask and finish == "length"),
            length,
        )
        for reward, length, finish in one + other
    ]
    assert [row.counts for row in rows.rows] == [counts for counts, _ in expected] + [False] * spare
    assert rows.tokens == sum(length for counts, length in expected if counts)
    assert all(row.completion_ids for row in rows.rows), "TRL has no row without a token"
    advantages = [a for g in groups for a in g.advantages]
    for row, advantage in zip(rows.rows, advantages, strict=False):
        assert row.advantage == (advantage if row.counts else 0.0)
    width = max(len(row.completion_ids) for row in rows.rows)
    lengths = torch.tensor([len(row.completion_ids) for row in rows.rows])
    whole = (torch.arange(width) < lengths[:, None]).long()
    output = rows.adopt({"completion_mask": whole, "num_items_in_batch": whole.sum(), "advantages": None})
    assert int(output["completion_mask"].sum()) == int(output["num_items_in_batch"]) == rows.tokens
    assert output["advantages"].tolist() == pytest.approx([row.advantage for row in rows.rows])


def test_rows_carry_their_task_to_reward_functions_and_fillers_are_short() -> None:
    groups = [
        group("a", [(1.0, 2, "stop"), (None, 3, "stop")]),
        group("b", [(0.0, 1, "stop"), (0.0, 0, "stop")]),
    ]
    rows = step_rows(groups, TASKS, 6, mask_truncated=False, pad=9, logprobs={})
    fields = rows.fields()
    assert [task.id for task in fields["task"]] == ["a", "a", "b", "b", "b", "b"]
    assert rewards(prompts=[""] * 6, **fields) == [1.0, None, 0.0, 0.0, 0.0, 0.0]
    assert fields["completion_ids"][-1] == [9]
    assert fields["logprobs"] is None
    assert {len(value) for value in fields.values() if value is not None} == {6}


def test_each_mini_batch_is_filled_up_for_itself() -> None:
    groups = [
        group("a", [(1.0, 2, "stop"), (0.0, 3, "stop")]),
        group("b", [(1.0, 1, "stop"), (0.0, 1, "stop")]),
        group("a", [(1.0, 1, "stop"), (0.0, 1, "stop")]),
    ]
    rows = step_rows(groups, TASKS, 8, 4, mask_truncated=False, pad=9, logprobs={}, parts=2)
    assert [row.counts for row in rows.rows] == [True, True, False, False, True, True, True, True]
    larger = step_rows(groups, TASKS, 4, 4, mask_truncated=False, pad=9, logprobs={}, parts=2)
    assert len(larger.rows) == 8, "more groups than the stage's batch, as with replay"
    few = step_rows(groups[:1], TASKS, 8, 4, mask_truncated=False, pad=9, logprobs={}, parts=2)
    assert [row.counts for row in few.rows] == [True, True] + [False] * 6


def test_log_probabilities_are_handed_on_where_a_sampler_gave_them() -> None:
    groups = [group("a", [(1.0, 2, "stop"), (0.0, 1, "stop")])]
    assert groups[0].rollouts is not None
    known = {r.key: (-0.5,) * r.tokens for r in groups[0].rollouts}
    rows = step_rows(groups, TASKS, 3, mask_truncated=False, pad=9, logprobs=known)
    assert rows.fields()["logprobs"] == [[-0.5, -0.5], [-0.5], [0.0]]
