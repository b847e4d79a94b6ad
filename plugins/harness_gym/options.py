"""Options of the reasoning-gym plugin; importing them does not import reasoning-gym."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from harness_tasks.strata import Strata
from harness_tasks.wording import Wording
from pydantic import Field, model_validator

from harness.recipe.stage import Model, Share

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]


class GymOptions(Wording):
    """Which data set, and what its strata are."""

    #: A data set's name in reasoning-gym, such as `chain_sum`.
    dataset: str
    #: Levels of its curriculum, from 0: `"0-3"` or a list. All of them when neither this nor `strata`
    #: is given.
    levels: Strata | None = None
    #: Strata of your own instead: fields of the data set's configuration by the stratum's name.
    strata: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    #: `exact`: a level holds only its own range of values; `up-to`: those of the levels below as well.
    spread: Literal["exact", "up-to"] = "exact"
    #: Fields of the configuration that hold for every stratum.
    config: dict[str, Any] = Field(default_factory=dict)
    split: Literal["train", "heldout"] = "train"
    #: None: training follows the run's seed, held-out tasks are the same in every run.
    seed: int | None = None
    #: `reasoning-gym` asks the data set's scorer; `last-number` suits those with integer answers.
    verifier: str = "reasoning-gym"

    @model_validator(mode="after")
    def _fits(self) -> GymOptions:
        if self.levels is not None and self.strata:
            raise ValueError("levels and strata are two ways to say the same; give one")
        for place, fields in (("config", self.config), *((f"strata.{n}", f) for n, f in self.strata.items())):
            if own := sorted({"seed", "size"} & set(fields)):
                raise ValueError(f"{place}: {own[0]!r} is the source's own to set")
        return self


class GymVerifierOptions(Model):
    """How an answer is taken out of a completion, and when it is partly right."""

    #: What the last `<answer>...</answer>` holds, the whole text, or the one and without it the other.
    extract: Literal["tag", "whole", "tag-or-whole"] = "tag-or-whole"
    #: Scores below 1 and above this are `partial`: the scorers give 0.01 for any well-formed answer.
    partial_above: Share = 0.05
