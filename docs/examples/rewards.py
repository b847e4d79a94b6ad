"""A reward that gives a little for every answer: `reward = { name = "local/encouraging", floor = 0.1 }`."""

from pydantic import BaseModel, ConfigDict, Field

from harness import hookimpl
from harness.contract import BuildContext, Verdict
from harness.plugging import Register


@hookimpl
def register_rewards(register: Register) -> None:
    register("encouraging", f"{__name__}:Encouraging", options=f"{__name__}:EncouragingOptions")


class EncouragingOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    floor: float = Field(default=0.1, ge=0, le=1)
    """Reward of an answer that is wrong; no answer at all has 0."""


class Encouraging:
    def __init__(self, options: EncouragingOptions, context: BuildContext) -> None:
        self._floor = options.floor

    def __call__(self, verdict: Verdict) -> float | None:
        if verdict.status in ("no_answer", "timeout"):
            return 0.0
        return max(self._floor, verdict.score or 0.0)
