"""The shortest of a group's right answers gets a bonus."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from harness import hookimpl
from harness.contract import BuildContext, Difficulty, Group
from harness.plugging import Register


@hookimpl
def register_shapers(register: Register) -> None:
    register("shortest", f"{__name__}:Shortest", options=f"{__name__}:ShortestOptions")


class ShortestOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    bonus: float = Field(default=0.1, ge=0)
    """What is added to the reward of the shortest right answer."""


class Shortest:
    def __init__(self, options: ShortestOptions, context: BuildContext) -> None:
        self._bonus = options.bonus

    def rewards(self, group: Group, label: Difficulty | None) -> Sequence[float | None]:
        right = [n for n, status in zip(group.lengths, group.statuses, strict=True) if status == "pass"]
        return [
            reward if reward is None or status != "pass" or n > min(right) else reward + self._bonus
            for reward, status, n in zip(group.rewards, group.statuses, group.lengths, strict=True)
        ]

    def advantages(self, group: Group, label: Difficulty | None) -> Sequence[float]:
        """Asked after the rewards were normalised within the group."""
        return list(group.advantages)
