"""The gradient of one step: GRPO over groups, or cross-entropy over answers, micro-batch by micro-batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from harness_transformers.network import Network
from torch import Tensor

from harness.contract import Group
from harness.recipe import Conventions, LossOptions
from harness.training import Phases
from harness_torch.learner import finite
from harness_torch.loss import (
    as_matrix,
    kl_divergence,
    policy_gradient,
    token_statistics,
)
from harness_torch.mini_batches import mini_batched
from harness_torch.rows import Counted, Example, Rows, counted, examples, micro_batches
from harness_torch.terms import Terms


@dataclass(slots=True)
class StepLoss:
    """The numbers of one pass over a batch, update by update; `kl` and `entropy` are nats per token."""

    loss: float = 0.0
    kl: float | None = None
    entropy: float | None = None
    #: Tokens that went through forward and backward, padding excluded.
    tokens: int = 0


@dataclass(slots=True)
class MiniBatch:
    """The part of a step's batch that one update learns from."""

    #: In micro-batches.
    rows: list[Rows]
    #: Tokens in the loss: its own, and the whole batch's.
    tokens: int
    of: int
    #: How many of them make the batch.
    parts: int
    #: Log-probabilities under the policy that sampled, by micro-batch; kept from the first pass.
    old: list[Tensor] = field(default_factory=list)


@dataclass(slots=True)
class GroupLoss:
    """GRPO (arXiv 2402.03300) as the stage and the conventions define it."""

    network: Network
    options: LossOptions
    conventions: Conventions
    device: torch.device
    micro_batch_tokens: int
    #: Sampling temperature, which the loss's probabilities have too.
    temperature: float
    #: Needed by a KL coefficient and by terms that ask for it.
    reference: Network | None = None
    terms: Terms | None = None
    #: Set to False to push completions without advantage through the network all the same.
    skip_without_advantage: bool = True

    @property
    def advantage_only(self) -> bool:
        """Whether nothing but the advantage reaches the gradient."""
        return not (self.options.kl or self.options.entropy or self.terms)

    def prepare(self, groups: Sequence[Group], mini_batches: int = 1) -> list[MiniBatch]:
        """A step's groups as mini-batches, each for an update.

        All their importance ratios are to the policy as it is now, which sampled them: if an update comes
        before a mini-batch's first pass, its log-probabilities are computed here.
        """
        masks = self.options.mask_truncated
        of, parts = counted(groups, mask_truncated=masks), mini_batched(groups, mini_batches)
        made = [
            MiniBatch(
                list(
                    micro_batches(self._examples(part, of, len(parts)), self.micro_batch_tokens, self.device)
                ),
                counted(part, mask_truncated=masks).tokens,
                of.tokens,
                len(parts),
            )
            for part in parts
        ]
        with torch.no_grad():
            for part in made[1:]:
                part.old = [
                    _sampled_with(as_matrix(self._statistics(rows)[0], rows.flat_mask), rows.stored)
                    for rows in part.rows
                ]
        return made

    def _examples(self, part: Sequence[Group], of: Counted, parts: int) -> list[Example]:
        return examples(
            part,
            of,
            normalise=self.conventions.normalise,
            mask_truncated=self.options.mask_truncated,
            skip_without_advantage=self.skip_without_advantage and self.advantage_only,
            parts=parts,
        )

    def backward(self, part: MiniBatch, result: StepLoss, where: str, phases: Phases) -> None:
        """Add the mini-batch's gradient to the parameters', and its share of the pass to `result`.

        Raises:
            TrainingError: the loss is not finite.
        """
        for index, rows in enumerate(part.rows):
            with phases("forward"):
                loss, kl, entropy = self._loss(rows, part, index)
                result.loss += finite(loss, where) / part.parts
            with phases("backward"):
                loss.backward()  # type: ignore[no-untyped-call]
            result.tokens += int(rows.mask.sum())
            if kl is not None:
                result.kl = (result.kl or 0.0) + kl / part.of
            if entropy is not None:
                result.entropy = (result.entropy or 0.0) + entropy / part.of

    @property
    def _wanted(self) -> set[str]:
        """Names of the inputs of terms."""
        return self.terms.wanted if self.terms else set()

    def _statistics(self, rows: Rows) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Log-probabilities and, if they are needed, entropies and logits of the rows' tokens."""
        entropy = bool(self.options.entropy) or "entropy" in self._wanted
        logits = self._scored(self.network, rows)
        chosen, spread = token_statistics(logits, rows.targets, entropy=entropy)
        return chosen, spread, logits if "logits" in self._wanted else None

    def _loss(self, rows: Rows, part: MiniBatch, index: int) -> tuple[Tensor, float | None, float | None]:
        """The micro-batch's share of the loss, and its summed KL and entropy if they were computed."""
        options, mask = self.options, rows.flat_mask
        chosen, spread, whole = self._statistics(rows)
        logprobs = as_matrix(chosen, mask)
        if index == len(part.old):
            part.old.append(_sampled_with(logprobs.detach(), rows.stored))
        old = part.old[index]
        available = {
            "logprobs": logprobs,
            "old_logprobs": old,
            "advantages": rows.advantages.expand_as(logprobs),
            "rewards": rows.rewards.expand_as(logprobs),
            "scores": rows.scores.expand_as(logprobs),
            "targets": rows.targets,
            "mask": mask,
        }
        if whole is not None:
            available["logits"] = whole
        total = policy_gradient(logprobs, old, rows.advantages, options.clip_low, options.clip_high)
        kl = entropy = None
        if options.kl or (self.terms and self.terms.referred):
            assert self.reference is not None
            with torch.no_grad():
                logits = self._scored(self.reference, rows)
                reference, _ = token_statistics(logits, rows.targets, entropy=False)
            if "ref_logits" in self._wanted:
                available["ref_logits"] = logits
            # They are the largest thing in memory.
            del logits
            available["ref_logprobs"] = as_matrix(reference, mask)
            divergence = kl_divergence(logprobs, available["ref_logprobs"], self.conventions.kl_estimator)
            kl = float((divergence.detach() * mask).sum())
            if options.kl:
                total = total + options.kl * divergence
        if spread is not None:
            available["entropy"] = as_matrix(spread, mask)
            entropy = float(spread.detach().sum())
            if options.entropy:
                total = total - options.entropy * available["entropy"]
        extra = self.terms.total(available) if self.terms else None
        if extra is not None:
            total = total + extra
        return (total * mask * rows.weights).sum(), kl, entropy

    def _scored(self, network: Network, rows: Rows) -> Tensor:
        logits = network.score(rows.prompts, rows.lengths, rows.completions, rows.mask)
        return logits if self.temperature in (0.0, 1.0) else logits / self.temperature


def _sampled_with(logprobs: Tensor, stored: Tensor | None) -> Tensor:
    """Log-probabilities of the policy that sampled: the stored ones of replayed completions."""
    return logprobs if stored is None else torch.where(stored.isnan(), logprobs, stored)


@dataclass(slots=True)
class AnswerLoss:
    """Cross-entropy of answers given their prompts (teacher forcing)."""

    network: Network
    device: torch.device
    micro_batch_tokens: int

    def backward(
        self, answers: Sequence[Example], result: StepLoss, where: str, phases: Phases, *, parts: int = 1
    ) -> int:
        """Add the gradient of the weighted loss, and its share of the pass to `result`; `answers` are one of
        so many parts of a batch. Returns how many of them greedy decoding would get right: those whose every
        token is the most likely one."""
        right = 0
        for rows in micro_batches(answers, self.micro_batch_tokens, self.device):
            with phases("forward"):
                logits = self.network.score(rows.prompts, rows.lengths, rows.completions, rows.mask)
                chosen, _ = token_statistics(logits, rows.targets, entropy=False)
                loss = -(as_matrix(chosen, rows.flat_mask) * rows.weights).sum()
                result.loss += finite(loss, where) / parts
            with phases("backward"):
                loss.backward()  # type: ignore[no-untyped-call]
            result.tokens += int(rows.mask.sum())
            wrong = as_matrix((logits.detach().argmax(-1) != rows.targets).long(), rows.flat_mask)
            right += int((wrong.sum(1) == 0).sum())
        return right
