"""Options of the reasoning-gym plugin; importing them does not import reasoning-gym."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from harness_tasks.strata import Strata
from harness_tasks.wording import Wording
from pydantic import Field, model_validator

from harness.recipe import Model, Share

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]


class GymOptions(Wording):
    """Which data set of reasoning-gym, and what its strata are."""

    dataset: str
    """Name of the data set in reasoning-gym, such as `chain_sum`."""
    levels: Strata | None = None
    """Levels of the data set's curriculum, counted from 0, as `"0-3"` or a list. Each is a stratum. If
    neither this nor `strata` is given, all levels are taken."""
    strata: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Strata of your own, instead of levels: for each name, fields of the data set's configuration."""
    spread: Literal["exact", "up-to"] = "exact"
    """What a level holds. `exact`: only its own range of values. `up-to`: the values of the levels below,
    too."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Fields of the data set's configuration that hold for every stratum. `seed` and `size` are set by the
    source."""
    split: Literal["train", "heldout"] = "train"
    """Which part of the source's problems to give. `train` and `heldout` never share one, whatever the
    seed."""
    seed: int | None = None
    """Names the order in which problems are dealt. If not set, training follows the run's seed, and
    held-out tasks are the same in every run."""
    verifier: str = "reasoning-gym"
    """Verifier that judges the tasks. `reasoning-gym` asks the data set's own scorer; `last-number` suits
    data sets with integer answers."""

    @model_validator(mode="after")
    def _fits(self) -> GymOptions:
        if self.levels is not None and self.strata:
            raise ValueError("levels and strata are two ways to say the same; give one")
        for place, fields in (("config", self.config), *((f"strata.{n}", f) for n, f in self.strata.items())):
            if own := sorted({"seed", "size"} & set(fields)):
                raise ValueError(f"{place}: {own[0]!r} is the source's own to set")
        return self


class GymVerifierOptions(Model):
    """How an answer is read from a completion, and which scores are partly right."""

    extract: Literal["tag", "whole", "tag-or-whole"] = "tag-or-whole"
    """What the scorer gets. `tag`: the text of the last `<answer>...</answer>`. `whole`: the whole
    completion. `tag-or-whole`: the tag's text if there is a tag, and else the whole completion."""
    partial_above: Share = 0.05
    """A score below 1 and above this is the status `partial`; other scores below 1 are `fail`. Scorers of
    reasoning-gym give 0.01 for any well-formed answer."""
