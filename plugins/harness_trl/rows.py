"""From a step's groups to the rows of TRL's batch: completions group by group, each with the session's
reward and advantage, and filled up to the size that TRL expects with rows that count for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from harness.records import Group, RolloutKey, Task


@dataclass(frozen=True, slots=True)
class Row:
    """One completion as TRL takes it."""

    #: None where its rollouts are replayed.
    task: Task | None
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    reward: float | None
    advantage: float
    #: Whether it reaches the loss and its normalisation.
    counts: bool
    #: Of the sampled tokens, as the sampler saw them; only vLLM's correction reads them.
    logprobs: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class StepRows:
    """All rows of a step, in TRL's order."""

    rows: Sequence[Row]

    @property
    def counted(self) -> int:
        return sum(row.counts for row in self.rows)

    @property
    def tokens(self) -> int:
        """Completion tokens that the loss is normalised by."""
        return sum(len(row.completion_ids) for row in self.rows if row.counts)

    def fields(self) -> dict[str, Any]:
        """What TRL's `rollout_func` returns; fields beyond ids and logprobs reach the reward function."""
        rows = self.rows
        known = all(row.logprobs is not None for row in rows)
        return {
            "prompt_ids": [list(row.prompt_ids) for row in rows],
            "completion_ids": [list(row.completion_ids) for row in rows],
            "logprobs": [list(row.logprobs or ()) for row in rows] if known else None,
            "task": [row.task for row in rows],
            "verified_reward": [row.reward for row in rows],
        }

    def adopt(self, output: dict[str, Any]) -> dict[str, Any]:
        """The step's tensors with the session's advantages in the place of TRL's own, and without the rows
        that do not count: neither in the loss nor in its normalisation."""
        mask: Tensor = output["completion_mask"]
        counts = torch.tensor([row.counts for row in self.rows], device=mask.device)
        output["completion_mask"] = mask * counts[:, None].to(mask.dtype)
        output["num_items_in_batch"] = output["completion_mask"].sum()
        output["advantages"] = torch.tensor(
            [row.advantage for row in self.rows], dtype=torch.float32, device=mask.device
        )
        return output


def step_rows(
    groups: Sequence[Group],
    tasks: Mapping[str, Task],
    size: int,
    *,
    mask_truncated: bool,
    pad: int,
    logprobs: Mapping[RolloutKey, tuple[float, ...]],
) -> StepRows:
    """Rows of the groups, filled up to `size`.

    Completions without a reward, aborted and empty ones, and (with `mask_truncated`) those cut at
    max_tokens do not count. TRL has no row without a token: an empty completion gets the token `pad`.
    """
    rows: list[Row] = []
    for group in groups:
        assert group.rollouts is not None
        for i, rollout in enumerate(group.rollouts):
            counts = (
                group.rewards[i] is not None
                and rollout.finish != "abort"
                and bool(rollout.completion_ids)
                and not (mask_truncated and group.truncated[i])
            )
            rows.append(
                Row(
                    task=tasks.get(group.task),
                    prompt_ids=rollout.prompt_ids,
                    completion_ids=rollout.completion_ids or (pad,),
                    reward=group.rewards[i],
                    advantage=group.advantages[i] if counts else 0.0,
                    counts=counts,
                    logprobs=logprobs.get(rollout.key, None if rollout.completion_ids else (0.0,)),
                )
            )
    shortest = min(rows, key=lambda row: len(row.prompt_ids))
    filler = Row(
        shortest.task, shortest.prompt_ids, (pad,), 0.0, 0.0, counts=False,
        logprobs=(0.0,) if logprobs else None,
    )  # fmt: skip
    return StepRows(rows + [filler] * (size - len(rows)))


def rewards(prompts: Sequence[Any], verified_reward: Sequence[float | None], **_: Any) -> list[float | None]:
    """TRL's reward function: what the session's verifiers said, None where nothing could be judged. The
    column `task` holds each row's task, for users' own functions."""
    return list(verified_reward)
