"""From a step's groups to the rows of TRL's batch: completions group by group, each with the session's
reward and advantage, and filled up to the size that TRL expects with rows that count for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from harness_torch.mini_batches import mini_batched
from torch import Tensor

from harness.contract import Group, RolloutKey, Task

#: Names of fields that are added to TRL's batch.
REWARDS, SCORES = "session_rewards", "session_scores"
#: TRL's name of the log-probabilities that its importance ratio is about.
OLD = "old_per_token_logps"


@dataclass(frozen=True, slots=True)
class Row:
    """One completion as TRL takes it."""

    #: None if its rollouts are replayed.
    task: Task | None
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    reward: float | None
    advantage: float
    #: Whether it reaches the loss and its normalisation.
    counts: bool
    #: Before any reduction or shaping.
    score: float = 0.0
    #: Log-probabilities of the sampled tokens by the sampler; only the correction for vLLM reads them.
    logprobs: tuple[float, ...] | None = None
    #: Advantages per token, in the place of the one for all.
    credit: tuple[float, ...] | None = None
    #: Log-probabilities under the policy that sampled it, if that is an earlier one (replay).
    old: tuple[float, ...] | None = None


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
        output["advantages"] = self._advantages(mask)
        # For the loss terms of plugins.
        for name, values in (
            (REWARDS, [row.reward or 0.0 for row in self.rows]),
            (SCORES, [row.score for row in self.rows]),
        ):
            output[name] = torch.tensor(values, dtype=torch.float32, device=mask.device)
        if any(row.old is not None for row in self.rows):
            output[OLD] = self._old(output.get(OLD), mask)
        return output

    def _old(self, known: Tensor | None, mask: Tensor) -> Tensor:
        """Log-probabilities under the policies that sampled, of the mask's shape: the stored ones of replayed
        rows; of the others what TRL computed, or nan for those that it leaves to the loss."""
        old = torch.full(mask.shape, torch.nan, device=mask.device) if known is None else known.clone()
        for place, row in enumerate(self.rows):
            if row.old is not None:
                old[place] = 0.0
                old[place, : len(row.old)] = torch.tensor(row.old, dtype=old.dtype, device=mask.device)
        return old

    def _advantages(self, mask: Tensor) -> Tensor:
        """(rows,), or of the mask's shape if any completion has an advantage per token."""
        plain = torch.tensor([row.advantage for row in self.rows], dtype=torch.float32, device=mask.device)
        if all(row.credit is None for row in self.rows):
            return plain
        matrix = plain[:, None].repeat(1, mask.shape[1])
        for place, row in enumerate(self.rows):
            if row.credit is not None:
                credit = torch.tensor(row.credit, dtype=torch.float32, device=mask.device)
                matrix[place, : len(credit)] = credit
        return matrix


def step_rows(
    groups: Sequence[Group],
    tasks: Mapping[str, Task],
    size: int,
    multiple: int = 1,
    *,
    mask_truncated: bool,
    pad: int,
    logprobs: Mapping[RolloutKey, tuple[float, ...]],
    parts: int = 1,
) -> StepRows:
    """Rows of the groups, filled up to `size`; replayed groups may exceed it, up to a `multiple`. They are so
    many mini-batches of equal length one after the other, each filled up for itself.

    Completions without a reward, empty ones, and (with `mask_truncated`) those cut at
    max_tokens do not count. TRL has no row without a token: an empty completion gets the token `pad`.
    """
    made = [_rows(part, tasks, mask_truncated, pad, logprobs) for part in mini_batched(groups, parts)]
    room = max(size // parts, *map(len, made))
    room += next(more for more in range(multiple) if (room + more) * parts % multiple == 0)
    shortest = min((row for rows in made for row in rows), key=lambda row: len(row.prompt_ids))
    filler = Row(
        shortest.task, shortest.prompt_ids, (pad,), 0.0, 0.0, counts=False,
        logprobs=(0.0,) if logprobs else None,
    )  # fmt: skip
    made += [[]] * (parts - len(made))
    return StepRows([row for rows in made for row in rows + [filler] * (room - len(rows))])


def _rows(
    groups: Sequence[Group],
    tasks: Mapping[str, Task],
    mask_truncated: bool,
    pad: int,
    logprobs: Mapping[RolloutKey, tuple[float, ...]],
) -> list[Row]:
    rows = []
    for group in groups:
        for sample in group.samples:
            rollout = sample.rollout
            assert rollout is not None
            counts = (
                sample.reward is not None
                and bool(rollout.completion_ids)
                and not (mask_truncated and sample.truncated)
            )
            rows.append(
                Row(
                    task=tasks.get(group.task),
                    prompt_ids=rollout.prompt_ids,
                    completion_ids=rollout.completion_ids or (pad,),
                    reward=sample.reward,
                    advantage=sample.advantage if counts else 0.0,
                    credit=sample.credit if counts else None,
                    counts=counts,
                    score=sample.verdict.score or 0.0,
                    logprobs=logprobs.get(rollout.key, None if rollout.completion_ids else (0.0,)),
                    old=rollout.logprobs if sample.replayed and counts else None,
                )
            )
    return rows


def rewards(prompts: Sequence[Any], verified_reward: Sequence[float | None], **_: Any) -> list[float | None]:
    """TRL's reward function: what the session's verifiers said, None if nothing could be judged. The
    column `task` holds each row's task, for users' own functions."""
    return list(verified_reward)
