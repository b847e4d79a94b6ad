"""Where a run stands between two stages: what the next one inherits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.contract.protocols import Policy
from harness.contract.records import Difficulty


@dataclass(slots=True)
class Position:
    """The policy in training, and what is known about it."""

    policy: Policy
    labels: dict[str, Difficulty] = field(default_factory=dict)
    #: Decayed outcomes of the last stage's training: (samples, passes) by subject.
    outcomes: dict[str, tuple[float, float]] = field(default_factory=dict)
    #: The estimator's state after the last measurement; None before the first.
    estimator: dict[str, Any] | None = None
    #: State of curricula, rewards, gates and shapers by their reference (`harness.training.state`), so that
    #: a later stage with the same one goes on with it.
    carried: dict[str, Any] = field(default_factory=dict)
    #: Whether a stage has trained.
    trained: bool = False
