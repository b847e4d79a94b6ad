"""From groups to padded tensors: what reaches the loss, in micro-batches of similar length.

A completion that cannot change the gradient is left out of the tensors but not out of the
normalisation, so the gradient is exactly the one of the full batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from harness.contract import Group, Sample


@dataclass(frozen=True, slots=True)
class Completion:
    """One completion's part in the loss."""

    ids: tuple[int, ...]
    #: One for all of its tokens, or one for each.
    advantage: float | tuple[float, ...]
    reward: float
    #: What the sum of its tokens' losses is multiplied by.
    weight: float
    #: The verdict's score, before any shaper.
    score: float = 0.0
    #: Log-probabilities under the policy that sampled it, if that is an earlier one (replay).
    old: tuple[float, ...] | None = None


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
    #: (P, G, T): token ids, and which of them are not padding.
    completions: Tensor
    mask: Tensor
    #: (P * G, 1), or (P * G, T) if any completion has an advantage per token.
    advantages: Tensor
    #: (P * G, 1) each.
    rewards: Tensor
    scores: Tensor
    weights: Tensor
    #: (P * G, T): stored log-probabilities, nan for what this policy sampled; None without replays.
    stored: Tensor | None

    @property
    def flat_mask(self) -> Tensor:
        """(P * G, T)."""
        return self.mask.flatten(0, 1)

    @property
    def targets(self) -> Tensor:
        """Ids of the completions' tokens, flat, in the mask's order."""
        return self.completions[self.mask]


@dataclass(frozen=True, slots=True)
class Counted:
    """What of a batch is in the loss's normalisation."""

    tokens: int
    sequences: int


def counted(groups: Sequence[Group], *, mask_truncated: bool) -> Counted:
    """Samples without a reward, empty ones and (with `mask_truncated`) those cut at max_tokens do not
    count."""
    lengths = [s.tokens for group in groups for s in group.samples if _counts(s, mask_truncated)]
    return Counted(sum(lengths), len(lengths))


def examples(
    groups: Sequence[Group],
    of: Counted,
    *,
    normalise: Literal["token", "sequence"],
    mask_truncated: bool,
    skip_without_advantage: bool,
    parts: int = 1,
) -> list[Example]:
    """What of the groups reaches the loss.

    Args:
        of: the whole batch, of which the groups are one of `parts` mini-batches. Each is normalised by an
            equal share of the batch: a completion weighs the same in whichever mini-batch it is.
        skip_without_advantage: leave zero terms out. Only exact if nothing but the advantage reaches the
            gradient.
    """
    made = []
    for group in groups:
        completions = tuple(
            _completion(
                sample,
                parts / of.tokens if normalise == "token" else parts / (of.sequences * sample.tokens),
            )
            for sample in group.samples
            if _counts(sample, mask_truncated) and (has_advantage(sample) or not skip_without_advantage)
        )
        if completions:
            rollout = group.samples[0].rollout
            assert rollout is not None
            made.append(Example(rollout.prompt_ids, completions))
    return made


def has_advantage(sample: Sample) -> bool:
    """Whether any token of the sample has an advantage other than 0."""
    return any(sample.credit) if sample.credit is not None else sample.advantage != 0


def _completion(sample: Sample, weight: float) -> Completion:
    rollout = sample.rollout
    assert rollout is not None
    return Completion(
        ids=rollout.completion_ids,
        advantage=sample.advantage if sample.credit is None else sample.credit,
        reward=sample.reward or 0.0,
        weight=weight,
        score=sample.verdict.score or 0.0,
        old=rollout.logprobs if sample.replayed else None,
    )


def _counts(sample: Sample, mask_truncated: bool) -> bool:
    return sample.reward is not None and sample.tokens > 0 and not (mask_truncated and sample.truncated)


def micro_batches(examples: Iterable[Example], tokens: int, device: torch.device) -> Iterator[Rows]:
    """Examples of one group size and similar length, at most `tokens` positions (padding included)
    together; a single longer example is a micro-batch of its own."""
    batch: list[Example] = []
    for example in sorted(examples, key=lambda e: (len(e.completions), e.longest, len(e.prompt), e.prompt)):
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
    flat = [c for e in batch for c in e.completions]
    numbers = torch.tensor([[c.reward, c.score, c.weight] for c in flat], dtype=torch.float32).to(device)
    return Rows(
        prompts=prompts.to(device),
        lengths=torch.tensor([len(e.prompt) for e in batch]).to(device),
        completions=completions.to(device),
        mask=(torch.arange(longest) < lengths[..., None]).to(device),
        advantages=_advantages(flat, longest).to(device),
        rewards=numbers[:, :1],
        scores=numbers[:, 1:2],
        weights=numbers[:, 2:],
        stored=_stored(flat, longest, device),
    )


def _advantages(completions: Sequence[Completion], longest: int) -> Tensor:
    """(rows, 1) if each has one advantage for all of its tokens, else (rows, longest)."""
    plain = [c.advantage for c in completions if not isinstance(c.advantage, tuple)]
    if len(plain) == len(completions):
        return torch.tensor(plain, dtype=torch.float32)[:, None]
    matrix = torch.zeros(len(completions), longest)
    for row, completion in zip(matrix, completions, strict=True):
        row[: len(completion.ids)] = torch.tensor(completion.advantage, dtype=torch.float32)
    return matrix


def _stored(completions: Sequence[Completion], longest: int, device: torch.device) -> Tensor | None:
    if all(c.old is None for c in completions):
        return None
    matrix = torch.full((len(completions), longest), torch.nan)
    for row, completion in zip(matrix, completions, strict=True):
        if completion.old is not None:
            row[: len(completion.ids)] = torch.tensor(completion.old, dtype=torch.float32)
    return matrix.to(device)
