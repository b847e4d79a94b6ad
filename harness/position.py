"""Where a run stands between two stages: what the next one inherits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.protocols import Policy
from harness.records import Difficulty


@dataclass(slots=True)
class Position:
    """The policy in training, and what is known about it."""

    policy: Policy
    labels: dict[str, Difficulty] = field(default_factory=dict)
    #: Decayed outcomes of the last stage's training: (samples, passes) by subject.
    outcomes: dict[str, tuple[float, float]] = field(default_factory=dict)
    #: The estimator's state after the last measurement; None before the first.
    estimator: dict[str, Any] | None = None
    #: State of each curriculum by its reference, so that a repeated stage goes on with it.
    curricula: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Whether a stage has trained.
    trained: bool = False
