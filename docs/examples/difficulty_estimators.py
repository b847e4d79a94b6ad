"""Samples each subject the same number of times."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from harness import hookimpl
from harness.contract import BuildContext, Difficulty
from harness.plugging import Register


@hookimpl
def register_difficulty_estimators(register: Register) -> None:
    register("fixed", f"{__name__}:Fixed", options=f"{__name__}:FixedOptions")


class FixedOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    samples: int = Field(default=8, gt=0)
    """Rollouts per subject."""


class Fixed:
    def __init__(self, options: FixedOptions, context: BuildContext) -> None:
        self._samples = options.samples

    def requests(self, outcomes: Mapping[str, Difficulty], subjects: Sequence[str]) -> Mapping[str, int]:
        # Lost rollouts count as tried: otherwise a dead engine would be asked for ever.
        tried = {s: d.samples + d.excluded_infra for s, d in outcomes.items()}
        missing = {s: self._samples - tried.get(s, 0) for s in subjects}
        return {s: count for s, count in missing.items() if count > 0}

    def split(self, count: int, *, endless: bool) -> Sequence[int]:
        """A stratum's rollouts are of as many tasks; a finite subject has one task."""
        return [1] * count if endless else [count] if count else []

    def fit(self, outcomes: Mapping[str, Difficulty]) -> Mapping[str, Difficulty]:
        return dict(outcomes)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...
