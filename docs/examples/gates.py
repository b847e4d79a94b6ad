"""Keeps a group only if most of its completions ended by themselves."""

from pydantic import BaseModel, ConfigDict, Field

from harness import hookimpl
from harness.contract import BuildContext, Group
from harness.plugging import Register


@hookimpl
def register_gates(register: Register) -> None:
    register("mostly-whole", f"{__name__}:MostlyWhole", options=f"{__name__}:MostlyWholeOptions")


class MostlyWholeOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    cut: float = Field(default=0.5, ge=0, le=1)
    """Largest share of completions that were cut at max_tokens."""


class MostlyWhole:
    #: An optional member: how often a step may draw again.
    max_refills = 4

    def __init__(self, options: MostlyWholeOptions, context: BuildContext) -> None:
        self._most = options.cut

    def keep(self, group: Group) -> bool:
        return sum(group.truncated) <= self._most * group.size
