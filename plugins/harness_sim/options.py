"""Options of the simulation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.recipe import Count, Model, Share

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]


class StudentOptions(Model):
    """The simulated student that training starts from. The file `sim.json` holds the same values."""

    ability: float = 0.0
    """Ability theta, on the scale of the items' difficulty b (in logits, if the items' discrimination is
    1)."""
    tokens: Positive = 64.0
    """Median length, in tokens, of a completion to an item whose difficulty equals the student's ability."""
    tokens_growth: NotNegative = 0.25
    """Growth of the length's natural logarithm per unit of difficulty above the ability."""
    tokens_spread: NotNegative = 0.5
    """Standard deviation of the natural logarithm of the length."""
    context_length: Count = 32768
    """Longest prompt plus completion that the student claims to read, in tokens."""


class SimTrainerOptions(Model):
    """How fast the simulated student learns."""

    gain: Positive = 5000.0
    """Ability gained, in logits, per unit of learning rate times policy gradient (a single number)."""


class SimRatesOptions(Model):
    """Simulated items as difficult as real problems were for a model whose pass rates are published."""

    path: str
    """A jsonl file (also .gz) whose rows have `id` and `pass_rate`: relative to the recipe, or
    `data:<path>` for the folder that HARNESS_DATA names."""
    samples: Count = 128
    """Samples behind each rate. They smooth rates of 0 and of 1."""
    form: Literal["tasks", "strata"] = "tasks"
    """`tasks` is a finite source whose subjects are single problems; `strata` is an endless source whose
    subjects are levels of neighbouring rates."""
    strata: Count = 40
    """Number of strata, each with as many rows. Only with `form = "strata"`."""
    count: Count | None = None
    """Number of tasks: rows are copied, or left out evenly, to reach it. Only with `form = "tasks"`. If not
    set, each row is a task."""
    discrimination: Positive = 1.0
    """Discrimination a of all items: how sharply the chance of a right answer falls with difficulty."""
    split: Literal["train", "heldout"] = "train"
    """Which rows to take, by a hash of their ids."""
    heldout_share: Share = 0.1
    """Share of the rows that the split `heldout` holds."""
    domain: str = "simulation"
    """Domain of all tasks."""


class SimIrtOptions(Model):
    """Simulated items: `count` subjects whose difficulty b rises evenly from `low` to `high` (item response
    theory, Birnbaum 1968)."""

    prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")] = ""
    """Text that starts the task ids and the names of subjects, so that a recipe can hold several of these
    sources."""
    domain: str = "simulation"
    """Domain of all tasks, which a stage's `mixture` and rules may ask for."""
    form: Literal["strata", "tasks"] = "strata"
    """`strata` is an endless source whose subjects are levels; `tasks` is a finite source whose subjects
    are single items."""
    count: Count = 40
    """Number of subjects."""
    low: float = -4.0
    """Difficulty b of the easiest subject, in logits. At most `high`."""
    high: float = 16.0
    """Difficulty b of the hardest subject, in logits."""
    discrimination: Positive = 1.0
    """Discrimination a of the items: how sharply the chance of a right answer falls with difficulty. 1 is
    the one-parameter model."""
    discrimination_spread: NotNegative = 0.0
    """Standard deviation of the natural logarithm of a over items. Above 0 this is the two-parameter
    model."""
    spread: NotNegative = 0.0
    """Standard deviation of b within a stratum. 0 makes all items of a stratum equally difficult."""
    split: Literal["train", "heldout"] = "train"
    """Which items to give. `train` and `heldout` never share one."""
    seed: int = 0
    """Names the items' random numbers. They are the same in every run, whatever the run's seed."""

    @model_validator(mode="after")
    def _in_order(self) -> SimIrtOptions:
        if self.low > self.high:
            raise ValueError(f"low = {self.low} must not lie above high = {self.high}")
        return self
