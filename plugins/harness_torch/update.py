"""The gradient of one step: GRPO over groups, or cross-entropy over answers, micro-batch by micro-batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from harness_transformers.network import Network
from torch import Tensor

from harness.protocols import LossTerm
from harness.recipe import Conventions, LossOptions
from harness.records import Group
from harness_torch.learner import finite
from harness_torch.loss import (
    as_matrix,
    kl_divergence,
    policy_gradient,
    sum_terms,
    token_statistics,
)
from harness_torch.metrics import Phases
from harness_torch.rows import Example, Rows, examples, micro_batches


@dataclass(slots=True)
class StepLoss:
    """What one pass over a batch came to; `kl` and `entropy` are means a token, in nats."""

    loss: float = 0.0
    kl: float | None = None
    entropy: float | None = None
    #: Tokens that went through forward and backward, padding excluded.
    tokens: int = 0


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
    #: Needed by a KL coefficient and by terms that name `ref_logprobs`.
    reference: Network | None = None
    terms: Sequence[LossTerm] = ()
    #: Set to False to push completions without advantage through the network all the same.
    skip_without_advantage: bool = True
    #: Micro-batches of the step, and their log-probabilities in its first pass.
    _batches: list[Rows] = field(default_factory=list)
    _old: list[Tensor] = field(default_factory=list)
    _tokens: int = 0

    @property
    def advantage_only(self) -> bool:
        """Whether nothing but the advantage reaches the gradient."""
        return not (self.options.kl or self.options.entropy or self.terms)

    @property
    def empty(self) -> bool:
        """Whether no token of the batch is in the loss: all of it was masked."""
        return not self._tokens

    def prepare(self, groups: Sequence[Group]) -> None:
        """Take a new batch of groups."""
        found, self._tokens = examples(
            groups,
            normalise=self.conventions.normalise,
            mask_truncated=self.options.mask_truncated,
            skip_without_advantage=self.skip_without_advantage and self.advantage_only,
        )
        self._batches = list(micro_batches(found, self.micro_batch_tokens, self.device))
        self._old = []

    def backward(self, where: str, phases: Phases) -> StepLoss:
        """Add the batch's gradient to the parameters'.

        Raises:
            TrainingError: the loss is not finite.
        """
        result = StepLoss()
        for index, rows in enumerate(self._batches):
            with phases("forward"):
                loss, kl, entropy = self._loss(rows, index)
                result.loss += finite(loss, where)
            with phases("backward"):
                loss.backward()  # type: ignore[no-untyped-call]
            result.tokens += int(rows.mask.sum())
            if kl is not None:
                result.kl = (result.kl or 0.0) + kl / self._tokens
            if entropy is not None:
                result.entropy = (result.entropy or 0.0) + entropy / self._tokens
        return result

    def _loss(self, rows: Rows, index: int) -> tuple[Tensor, float | None, float | None]:
        """The micro-batch's share of the loss, and its summed KL and entropy where they were computed."""
        options, mask = self.options, rows.flat_mask
        wanted = {name for term in self.terms for name in term.inputs}
        logits = self._scored(self.network, rows)
        chosen, spread = token_statistics(
            logits, rows.targets, entropy=bool(options.entropy) or "entropy" in wanted
        )
        logprobs = as_matrix(chosen, mask)
        if index == len(self._old):
            self._old.append(logprobs.detach())
        old = self._old[index]
        available = {
            "logprobs": logprobs,
            "old_logprobs": old,
            "advantages": rows.advantages.expand_as(logprobs),
            "rewards": rows.rewards.expand_as(logprobs),
            "mask": mask,
        }
        total = policy_gradient(logprobs, old, rows.advantages, options.clip_low, options.clip_high)
        kl = entropy = None
        if options.kl or "ref_logprobs" in wanted:
            assert self.reference is not None
            with torch.no_grad():
                reference, _ = token_statistics(
                    self._scored(self.reference, rows), rows.targets, entropy=False
                )
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
        extra = sum_terms(self.terms, available)
        if extra is not None:
            total = total + extra
        return (total * mask * rows.weights).sum(), kl, entropy

    def _scored(self, network: Network, rows: Rows) -> Tensor:
        logits = network.score(rows.prompts, rows.lengths, rows.completions, rows.mask)
        return logits if self.temperature in (0.0, 1.0) else logits / self.temperature


@dataclass(slots=True)
class AnswerLoss:
    """Cross-entropy of answers given their prompts (teacher forcing)."""

    network: Network
    device: torch.device
    micro_batch_tokens: int

    def backward(self, found: Sequence[Example], where: str, phases: Phases) -> tuple[StepLoss, float]:
        """Add the gradient of the weighted loss; also returns the share of examples whose every token
        is the most likely one, that is, which greedy decoding would get right."""
        result, right = StepLoss(), 0
        for rows in micro_batches(found, self.micro_batch_tokens, self.device):
            with phases("forward"):
                logits = self.network.score(rows.prompts, rows.lengths, rows.completions, rows.mask)
                chosen, _ = token_statistics(logits, rows.targets, entropy=False)
                loss = -(as_matrix(chosen, rows.flat_mask) * rows.weights).sum()
                result.loss += finite(loss, where)
            with phases("backward"):
                loss.backward()  # type: ignore[no-untyped-call]
            result.tokens += int(rows.mask.sum())
            wrong = as_matrix((logits.detach().argmax(-1) != rows.targets).long(), rows.flat_mask)
            right += int((wrong.sum(1) == 0).sum())
        return result, right / len(found)
