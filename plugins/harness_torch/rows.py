"""From groups to padded tensors: what of a step reaches the loss, in micro-batches of similar length.

A completion that cannot change the gradient is left out of the tensors but not out of the
normalisation, so the gradient is exactly the one of the full batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from harness.records import Group


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion's part in the loss."""

    ids: tuple[int, ...]
    advantage: float
    reward: float
    #: What the sum of its tokens' losses is multiplied by.
    weight: float


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt with those of its completions that reach the loss."""

    prompt: tuple[int, ...]
    completions: tuple[Completion, ...]

    @property
    def longest(self) -> int:
        return max(len(c.ids) for c in self.completions)


@dataclass(frozen=True, slots=True)
class Rows:
    """A micro-batch: P prompts with G completions each, padded on the right."""

    #: (P, longest prompt), and its lengths (P,).
    prompts: Tensor
    lengths: Tensor
    #: (P, G, T): token ids, and which of them are no padding.
    completions: Tensor
    mask: Tensor
    #: (P * G, 1) each.
    advantages: Tensor
    rewards: Tensor
    weights: Tensor

    @property
    def flat_mask(self) -> Tensor:
        """(P * G, T)."""
        return self.mask.flatten(0, 1)

    @property
    def targets(self) -> Tensor:
        """Ids of the completions' tokens, flat, in the mask's order."""
        return self.completions[self.mask]


def examples(
    groups: Sequence[Group],
    *,
    normalise: Literal["token", "sequence"],
    mask_truncated: bool,
    skip_without_advantage: bool,
) -> tuple[list[Example], int]:
    """What reaches the loss, and the number of tokens that the normalisation counts.

    Rollouts whose reward is None, aborted ones and (with `mask_truncated`) those cut at max_tokens
    leave the loss and its normalisation. `skip_without_advantage` leaves the others' zero terms out:
    only exact where nothing but the advantage reaches the gradient.
    """
    taking_part = [
        (group, [i for i in range(group.size) if _counts(group, i, mask_truncated)]) for group in groups
    ]
    lengths = [group.lengths[i] for group, members in taking_part for i in members]
    tokens, sequences = sum(lengths), len(lengths)
    found = []
    for group, members in taking_part:
        assert group.rollouts is not None
        completions = tuple(
            Completion(
                ids=group.rollouts[i].completion_ids,
                advantage=group.advantages[i],
                reward=group.rewards[i] or 0.0,
                weight=1 / tokens if normalise == "token" else 1 / (sequences * group.lengths[i]),
            )
            for i in members
            if group.advantages[i] != 0 or not skip_without_advantage
        )
        if completions:
            found.append(Example(group.rollouts[0].prompt_ids, completions))
    return found, tokens


def _counts(group: Group, i: int, mask_truncated: bool) -> bool:
    assert group.rollouts is not None
    return (
        group.rewards[i] is not None
        and group.rollouts[i].finish != "abort"
        and group.lengths[i] > 0
        and not (mask_truncated and group.truncated[i])
    )


def micro_batches(found: Iterable[Example], tokens: int, device: torch.device) -> Iterator[Rows]:
    """Examples of one group size and similar length, at most `tokens` positions (padding included)
    together; a single longer example is a micro-batch of its own."""
    batch: list[Example] = []
    for example in sorted(found, key=lambda e: (len(e.completions), e.longest, len(e.prompt), e.prompt)):
        grown = [*batch, example]
        positions = len(grown) * (
            max(len(e.prompt) for e in grown) + len(example.completions) * max(e.longest for e in grown)
        )
        if batch and (positions > tokens or len(example.completions) != len(batch[0].completions)):
            yield rows(batch, device)
            batch = []
        batch.append(example)
    if batch:
        yield rows(batch, device)


def rows(batch: Sequence[Example], device: torch.device) -> Rows:
    """Examples of one group size as tensors."""
    group, longest = len(batch[0].completions), max(e.longest for e in batch)
    prompts = torch.zeros(len(batch), max(len(e.prompt) for e in batch), dtype=torch.long)
    completions = torch.zeros(len(batch), group, longest, dtype=torch.long)
    lengths = torch.tensor([[len(c.ids) for c in e.completions] for e in batch])
    for p, example in enumerate(batch):
        prompts[p, : len(example.prompt)] = torch.tensor(example.prompt)
        for g, completion in enumerate(example.completions):
            completions[p, g, : len(completion.ids)] = torch.tensor(completion.ids)
    numbers = torch.tensor(
        [[c.advantage, c.reward, c.weight] for e in batch for c in e.completions], dtype=torch.float32
    ).to(device)
    return Rows(
        prompts=prompts.to(device),
        lengths=torch.tensor([len(e.prompt) for e in batch]).to(device),
        completions=completions.to(device),
        mask=(torch.arange(longest) < lengths[..., None]).to(device),
        advantages=numbers[:, :1],
        rewards=numbers[:, 1:2],
        weights=numbers[:, 2:],
    )
