"""Options of the adaptive curricula, apart from their code so that checking a recipe stays cheap."""

from __future__ import annotations

from typing import Annotated

from harness_curricula.options import Online
from pydantic import Field, model_validator

from harness.recipe import Count, LabelsOfAny, Model, Share

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Difficulty = Annotated[float, Field(ge=0, le=100)]


class AdaRftOptions(Model):
    """How the curriculum `adarft` moves its target difficulty, on AdaRFT's scale of 0 (easy) to 100."""

    model: LabelsOfAny = "policy"
    """Whose pass rates say how difficult a task is: a name of `difficulty.labels`, or `policy` for the labels
    measured of the policy, which is then measured before the stage if it has none. A task without a label
    counts as 50; a pool without any is refused."""
    start: Difficulty = 0.0
    """Target difficulty of the first step."""
    step: Positive = 50.0
    """Step size eta: the most that the target moves in a training step."""
    sensitivity: Positive = 2.0
    """Sensitivity alpha of the move to the mean reward."""
    target: Share = 0.5
    """Mean reward beta at which the target stays where it is."""
    low: Difficulty = 0.0
    """Least target difficulty. Below `high`."""
    high: Difficulty = 100.0
    """Highest target difficulty."""

    @model_validator(mode="after")
    def _in_order(self) -> AdaRftOptions:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must lie below high = {self.high}")
        return self


class Levelled(Online):
    """Which subjects form an arm or a level together."""

    levels: Annotated[int, Field(ge=0)] = 0
    """Arms of equal size that subjects are sorted into from easy to hard, by their labels if all have one
    and by the source's order otherwise. 0 makes each subject its own arm, as suits strata."""


class SecOptions(Levelled):
    """How the curriculum `sec` values its arms."""

    rate: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Learning rate alpha of an arm's value Q per training step."""
    temperature: Positive = 0.2
    """Temperature tau of the Boltzmann distribution over Q, whose values lie between 0 and about 1. The paper
    tunes it per task."""


class DumpOptions(Levelled):
    """How the curriculum `dump` scores its arms."""

    window: Count = 300
    """Latest samples of an arm whose absolute advantages count."""
    temperature: Positive = 0.1
    """Temperature of the softmax over scores."""


class E2hOptions(Model):
    """Levels and length of the curricula `e2h-cosine` and `e2h-gaussian`."""

    levels: Annotated[int, Field(ge=0)] = 4
    """Levels K of equal size, from easy to hard by labels if all subjects have one, else in the source's
    order. 0 makes each subject a level."""
    steps: Count = 100
    """Planned length T in training steps. After it the last weights stay."""


class E2hGaussianOptions(E2hOptions):
    """How the peak of the curriculum `e2h-gaussian` moves."""

    exponent: Positive = 0.5
    """The peak of step t is at level ((t-1)/(T-1))^exponent (K-1): below 1 it leaves the easy levels soon."""
    width: Positive = 0.5
    """Standard deviation of the weights around the peak, in levels."""
    floor: Share = 0.0
    """Least weight of a level, before weights are normalised. Above 0 no level is left out."""


class GresoOptions(Online):
    """When the curriculum `greso` passes over a task."""

    easy: Share = 0.98
    """A group with at least this share of passes was too easy. The paper counts groups without variance;
    this is the public code's bound."""
    hard: Share = 0.11
    """A group with at most this share of passes was too hard. Below `easy`."""
    easy_share: Share = 0.083
    """Share of a step's groups that may be too easy before such tasks are explored less."""
    hard_share: Share = 0.167
    """Share of a step's groups that may be too hard before such tasks are explored less."""
    explore: Share = 0.5
    """Exploration probabilities at the start: a task that was z times in a row too easy (or too hard) is
    taken with probability explore^z. They move by `step` per training step."""
    step: Share = 0.01
    """Change of the exploration probabilities per training step."""
    least: Share = 0.05
    """Lower bound of the exploration probabilities; their upper bound is 1 minus it."""
    floor: Annotated[float, Field(gt=0, le=1)] = 0.01
    """Least probability of taking a task, however long its streak."""

    @model_validator(mode="after")
    def _in_order(self) -> GresoOptions:
        if self.hard >= self.easy:
            raise ValueError(f"hard = {self.hard} must lie below easy = {self.easy}")
        return self


class MoppsOptions(Online):
    """How the curriculum `mopps` predicts pass rates."""

    memory: Share = 0.5
    """Share lambda of the evidence about a subject that is kept when it is observed again."""
    prior: Positive = 1.0
    """Both parameters of the Beta prior."""
    target: Share = 0.5
    """Pass rate gamma that the chosen tasks should be near."""
    candidates: Count = 8
    """Candidates per wanted task. Each has a pass rate drawn from its posterior; the nearest to `target` are
    taken."""


class PclOptions(Model):
    """How the curriculum `pcl` chooses prompts."""

    candidates: Count = 4
    """Candidates k per wanted task. All are read, and those whose predicted pass rates are nearest to
    `target` are taken. Of strata each candidate is a fresh task, and what is not taken is passed over for
    good."""
    target: Share = 0.5
    """Pass rate tau that the chosen prompts should be near."""
    memory: Share = 0.9
    """Share of what the value model knows that is kept per training step, because the policy changes; the
    mean stays, its certainty fades."""


class VcrlOptions(Online):
    """What the curriculum `vcrl` keeps in its memory."""

    threshold: Share = 0.3
    """Least variance of a group, as a share of the greatest possible one, below which its place goes to a
    task of the memory, and least priority of a task in the memory (kappa)."""
    momentum: Share = 0.9
    """Share of a task's priority that is kept when it is observed again (alpha)."""
    memory: Count = 1024
    """Most tasks in the memory. That with the least priority is forgotten first."""


class PromptReplayOptions(Online):
    """Which prompts the curriculum `prompt-replay` uses again."""

    low: Share = 0.25
    """Least pass rate of a group whose prompt enters the buffer. Below `high`."""
    high: Share = 0.75
    """Highest pass rate of a group whose prompt enters the buffer."""
    share: Share = 0.5
    """Most of a batch that may come from the buffer."""
    cooldown: Annotated[int, Field(ge=0)] = 2
    """Training steps before a prompt may come again."""
    uses: Count = 4
    """How often a prompt may come again before it is drawn fresh, in the next epoch. For a stratum, how often
    it may be drawn so."""

    @model_validator(mode="after")
    def _in_order(self) -> PromptReplayOptions:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low} must lie below high = {self.high}")
        return self
