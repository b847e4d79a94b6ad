"""A sample is one object: what the model answered, the evidence about it, and what that is worth.

A group is one task's samples. Shapers, gates, curricula, losses and metrics see groups; the ledger keeps
them (`harness.recording.groups`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from harness.contract.records import Rollout, Status, Verdict

_replaced = msgspec.structs.replace
#: Rewards that differ by no more than this are equal.
EQUAL = 1e-12


class Sample(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One rollout with its evidence. A struct and no dataclass, and none of the garbage collector's
    business (it cannot be part of a cycle): the simulation makes 150,000 per second."""

    verdict: Verdict
    #: Length of the completion, in tokens.
    tokens: int
    #: Whether it was cut at max_tokens.
    truncated: bool = False
    #: None if the trainer reports outcomes without text (the simulation), or if the ledger kept none.
    rollout: Rollout | None = None
    #: None masks the sample out of the loss: nothing could be judged.
    reward: float | None = None
    #: Normalised within the group; with `credit`, the mean over the completion's tokens.
    advantage: float = 0.0
    #: Advantages per token of the completion, shape (tokens,); None spreads `advantage` over all of them.
    credit: tuple[float, ...] | None = None
    #: Further rewards by name, kept beside with weight 0.
    metrics: Mapping[str, float | None] = {}
    #: Whether it comes from the group store: generated in an earlier step, by an earlier policy.
    replayed: bool = False

    @classmethod
    def of(cls, rollout: Rollout, verdict: Verdict, reward: float | None = None, **more: Any) -> Sample:
        """The sample of a judged rollout."""
        return cls(
            verdict=verdict,
            tokens=rollout.tokens,
            truncated=rollout.truncated,
            rollout=rollout,
            reward=reward,
            **more,
        )

    @property
    def judged(self) -> bool:
        """Whether it says something about the model. What the engine gave up or no verifier could judge
        says something about us; it is counted apart and never as a failure."""
        return self.verdict.judged

    @property
    def generated(self) -> int:
        """Tokens that were generated for it, returned or not; none if it is replayed."""
        if self.replayed:
            return 0
        return self.tokens if self.rollout is None else self.rollout.generated


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One task's samples of one step: what shapers, gates and curricula see.

    The sequences below have the group's size, in the samples' order.
    """

    task: str
    subject: str
    step: int
    samples: tuple[Sample, ...]
    #: Which of the task's groups in this step it is, from 0: a task may be drawn twice.
    index: int = 0
    #: How many of the first samples an earlier form of this group held, which a curriculum then extended.
    #: They were observed and paid for before.
    known: int = 0

    @property
    def size(self) -> int:
        return len(self.samples)

    @property
    def fresh(self) -> tuple[Sample, ...]:
        """The samples that are new: neither of an earlier form of the group, nor replayed."""
        return tuple([sample for sample in self.samples[self.known :] if not sample.replayed])

    @property
    def rollouts(self) -> tuple[Rollout, ...] | None:
        """None if the trainer reports outcomes without text."""
        made = tuple(sample.rollout for sample in self.samples if sample.rollout is not None)
        return made if len(made) == len(self.samples) else None

    @property
    def statuses(self) -> tuple[Status, ...]:
        return tuple([sample.verdict.status for sample in self.samples])

    @property
    def scores(self) -> tuple[float | None, ...]:
        return tuple([sample.verdict.score for sample in self.samples])

    @property
    def rewards(self) -> tuple[float | None, ...]:
        return tuple([sample.reward for sample in self.samples])

    @property
    def advantages(self) -> tuple[float, ...]:
        return tuple([sample.advantage for sample in self.samples])

    @property
    def lengths(self) -> tuple[int, ...]:
        """Completion lengths, in tokens."""
        return tuple([sample.tokens for sample in self.samples])

    @property
    def truncated(self) -> tuple[bool, ...]:
        return tuple([sample.truncated for sample in self.samples])

    @property
    def mixed(self) -> bool:
        """Whether the rewards differ: the question of dynamic sampling, before advantages are made."""
        known = [sample.reward for sample in self.samples if sample.reward is not None]
        return bool(known) and max(known) - min(known) > EQUAL

    @property
    def signal(self) -> bool:
        """Whether the group carries a gradient: the advantage of some sample that counts is not 0. Without
        shapers of advantages that is the same as `mixed`; with them, rewards that are alike may carry one
        and mixed rewards none."""
        counted = [sample for sample in self.samples if sample.reward is not None]
        return any(sample.advantage or (sample.credit and any(sample.credit)) for sample in counted)

    def with_rewards(self, rewards: Sequence[float | None]) -> Group:
        """The group with other rewards, shape (G,)."""
        pairs = zip(self.samples, rewards, strict=True)
        return replace(self, samples=tuple([_replaced(s, reward=r) for s, r in pairs]))

    def with_advantages(self, advantages: Sequence[float | Sequence[float]]) -> Group:
        """The group with other advantages, shape (G,): a number per completion, or one per token of it."""
        pairs = zip(self.samples, advantages, strict=True)
        return replace(self, samples=tuple([_credited(s, a) for s, a in pairs]))

    def without_rollouts(self) -> Group:
        """The group without texts and token ids."""
        bare = tuple([_replaced(sample, rollout=None) for sample in self.samples])
        return replace(self, samples=bare)


def _credited(sample: Sample, advantage: float | Sequence[float]) -> Sample:
    if isinstance(advantage, float | int):
        return _replaced(sample, advantage=advantage, credit=None)
    mean = sum(advantage) / len(advantage) if advantage else 0.0
    return _replaced(sample, advantage=mean, credit=tuple(advantage))
