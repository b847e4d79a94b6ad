"""Options of the curricula with replay, apart from their code so that checking a recipe stays cheap."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from harness.recipe import Model, Share


class RePoOptions(Model):
    """Which stored samples join the curriculum `repo`'s batches. The stage needs `replay`, its group
    store."""

    strategy: Literal["recent", "best", "random", "variance"] = "recent"
    """Which samples of a task are taken. `recent`: the last ones; `best`: those of highest reward;
    `random`: any; `variance`: those whose rewards differ most."""
    samples: Annotated[int, Field(ge=2)] = 8
    """Most stored samples of a task per step."""
    by: Literal["task", "subject"] = "task"
    """`task` replays samples of the very task that came again. `subject` replays a group of the same
    stratum, since a stratum never repeats a task."""
    oldest: Annotated[int, Field(ge=0)] = 0
    """Most steps that a sample may be old. 0 takes any age that the store holds."""


class ExGrpoOptions(Model):
    """Which stored groups join the curriculum `exgrpo`'s batches. The stage needs `replay`, its group
    store."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of a batch that is replayed (rho): so many stored groups for each fresh one, over their sum."""
    start: Share = 0.35
    """Nothing is replayed before a training step's pass rate has exceeded this."""
    width: Annotated[float, Field(gt=0)] = 1.0
    """Standard deviation of the weights of the buckets around one half, in passes of a group of 8."""
    oldest: Annotated[int, Field(ge=0)] = 0
    """Most steps that a group may be old. 0 takes any age that the store holds."""
    once: bool = True
    """Whether a group is replayed at most once."""
