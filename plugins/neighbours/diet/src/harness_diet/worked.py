"""Task source `worked-chain`: chains answered at once, worked out, or worked out and restated.

A task of the core's `arithmetic-chain`, of which only the last value is the answer: of `9-5+9+8=` it is 1.
Right answers come at three lengths:

    1               at once: all in one step, which a small model can do for few operations
    431=1           worked out: a value per operation, then the answer
    431=1=1=1=1     worked out, and the answer said again and again: what overthinking looks like here

So a short answer is right on an easy task, and a guess on a hard one. With `show` the tasks are
demonstrations, whose gold answers are written in one of these ways, for a supervised stage; without it they
are questions, judged by their last number alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal

from harness.contract import AnswerSpec, BuildContext, Task, TaskSource
from harness.recipe import Model
from pydantic import Field

Style = Literal["at-once", "worked", "restated"]
#: How often an answer is said in the longest way to answer.
RESTATED: Final = 4
STYLES: Final[tuple[Style, ...]] = ("at-once", "worked", "restated")


class WorkedChainOptions(Model):
    """Which chains, and whether they are asked or shown."""

    strata: str | list[int] = "1-8"
    """Levels, which are numbers of operations, as `arithmetic-chain` takes them."""
    split: Literal["train", "heldout"] = "train"
    """Which part of the problems to give; the two never share one."""
    show: dict[Style, float] = Field(default_factory=dict)
    """Relative frequency of each way to answer, such as `{worked = 1.0, restated = 3.0}`. The tasks are then
    demonstrations of domain `shown`. If not set, they are questions of domain `asked`."""


class WorkedChain:
    """Endless (protocol `TaskSource`): a stratum per number of operations."""

    endless = True

    def __init__(self, options: WorkedChainOptions | None, context: BuildContext) -> None:
        self.options = options or WorkedChainOptions()
        #: The core's own source, built by its name as a recipe would.
        self.chains: TaskSource = context.build(
            "task_sources", "arithmetic-chain", {"strata": self.options.strata, "split": self.options.split}
        )

    def subjects(self) -> Sequence[str]:
        """The levels, easy to hard; those of demonstrations by a name of their own."""
        return [self._named(subject) for subject in self.chains.subjects()]

    def draw(self, subject: str, index: int) -> Task:
        """The `index`-th chain of a level."""
        return self._task(self.chains.draw(subject.removeprefix("shown-"), index))

    def get(self, task_id: str) -> Task:
        """The chain of this id."""
        return self._task(self.chains.get(task_id.removeprefix("worked-").removeprefix("shown-")))

    def _named(self, subject: str) -> str:
        return f"shown-{subject}" if self.options.show else subject

    def _task(self, chain: Task) -> Task:
        values = str(chain.answer)
        made = replace(
            chain,
            id=f"worked-{'shown-' if self.options.show else ''}{chain.id}",
            verifier="last-number",
            answer=int(values[-1]),
            answer_spec=AnswerSpec(type="integer"),
            domain="asked",
        )
        if not self.options.show:
            return made
        return replace(
            made,
            answer=written(values, style_of(chain.id, self.options.show)),
            answer_spec=AnswerSpec(type="text"),
            stratum=None if chain.stratum is None else self._named(chain.stratum),
            domain="shown",
        )


def written(values: str, style: Style) -> str:
    """The answer whose values per operation are these digits."""
    if style == "at-once":
        return values[-1]
    times = 1 if style == "worked" else RESTATED
    return "=".join([values, *values[-1:] * times])


def style_of(task_id: str, shares: dict[Style, float]) -> Style:
    """How a demonstration answers: a fixed choice per task, with these relative frequencies."""
    point = zlib.crc32(task_id.encode()) / 2**32 * sum(shares.values())
    known = [style for style in STYLES if shares.get(style)]
    for style in known:
        point -= shares[style]
        if point < 0:
            return style
    return known[-1]
