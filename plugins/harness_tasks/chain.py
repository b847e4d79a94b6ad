"""Source `arithmetic-chain`: the shortest task whose difficulty is one exact number.

The prompt of level n is n operations on digits, such as `9-5+9+8=` (n = 3). The answer is the running
value mod 10 after each operation, one digit each: 9-5 = 4, 4+9 = 13, 3+8 = 11, so `431`. Level n has
10 * 20^n contents and n answer digits, so that a guess passes with chance 10^-n.

Contents are numbered, and a fixed permutation of the numbers is the content hash that splits them: its
lower half is held out, its upper half trained on, whatever the seeds. A stream deals its half in an
order that the seed gives, without repeats until the half is exhausted (100 contents at level 1, 2,000 at
level 2, 40,000 at level 3); then it deals the half again in a new order, under new task ids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

from pydantic import Field, model_validator

from harness.contract import AnswerSpec, BuildContext, DataError, Message, Task, near
from harness.recipe import Model
from harness_tasks.permutation import permute
from harness_tasks.strata import Strata, parse_strata

NAME: Final = "arithmetic-chain"
Split = Literal["train", "heldout"]

#: The longest chain; the permutation's halves stay within its mixer's 512 bits.
MAX_LEVEL: Final = 200
_ID: Final = re.compile(rf"{NAME}/([1-9]\d{{0,2}})/(train|heldout)/(0|[1-9]\d*)(?:@(-?[1-9]\d*))?")


class ChainOptions(Model):
    """Which chains are asked for."""

    strata: Strata = Field(default_factory=lambda: parse_strata("1-40"))
    """Levels, which are numbers of operations: `"1-40"`, `"1-8,10"` or a list. From 1 to 200."""
    split: Split = "train"
    """Which part of the source's problems to give. `train` and `heldout` never share one, whatever the
    seed."""
    seed: int | None = None
    """Names the order in which problems are dealt. If not set, training follows the run's seed, and
    held-out tasks are the same in every run."""
    weights: dict[str, float] | None = None
    """Relative frequency of each level, such as `{"1" = 2.0, "2" = 1.0}`, for stages that sample from the
    source itself, such as `sft`. If not set, all levels are equally frequent."""

    @model_validator(mode="after")
    def _fits(self) -> ChainOptions:
        if self.strata[0] < 1 or self.strata[-1] > MAX_LEVEL:
            raise ValueError(
                f"strata: levels run from 1 to {MAX_LEVEL}, not {self.strata[0]} to {self.strata[-1]}"
            )
        known = [str(level) for level in self.strata]
        for subject, weight in (self.weights or {}).items():
            if subject not in known:
                raise ValueError(f"weights: {subject!r} is not among the strata; {near(subject, known)}")
            if not 0 <= weight < float("inf"):
                raise ValueError(f"weights: {subject!r} has weight {weight}, which is not a frequency")
        if self.weights is not None and not any(self.weights.values()):
            raise ValueError("weights: all of them are 0")
        return self


class ArithmeticChain:
    """Chains of additions and subtractions by number of operations."""

    endless = True

    def __init__(self, options: ChainOptions, context: BuildContext) -> None:
        self.split: Split = options.split
        following = context.seed if options.split == "train" else 0
        self.seed = following if options.seed is None else options.seed
        #: Relative frequency by subject, None for all alike; a subject left out has 0.
        self.weights: Mapping[str, float] | None = options.weights
        self._subjects = tuple(str(level) for level in options.strata)

    def subjects(self) -> Sequence[str]:
        """The levels, as strings, easy to hard."""
        return self._subjects

    def draw(self, subject: str, index: int) -> Task:
        """The `index`-th chain of a level; raises DataError for a level it does not have."""
        if subject not in self._subjects:
            raise DataError(
                f"has no stratum {subject!r}",
                where=f"task source {NAME!r}",
                allowed=near(subject, self._subjects),
            )
        if index < 0:
            raise DataError(f"index {index} is negative", where=f"task source {NAME!r}")
        return _task(int(subject), self.split, index, self.seed)

    def get(self, task_id: str) -> Task:
        """The chain of this id, of any level, split and seed; raises DataError for another form."""
        match = _ID.fullmatch(task_id)
        if match is None or int(match[1]) > MAX_LEVEL:
            raise DataError(
                f"{task_id!r} is not a task of this source",
                where=f"task source {NAME!r}",
                allowed=f"{NAME}/<level>/<train|heldout>/<index>, with @<seed> if it is not 0",
            )
        split: Split = "train" if match[2] == "train" else "heldout"
        return _task(int(match[1]), split, int(match[3]), int(match[4] or 0))


def contents(level: int) -> int:
    """How many chains of this level there are, both splits together."""
    return int(10 * 20**level)


def _task(level: int, split: Split, index: int, seed: int) -> Task:
    half = contents(level) // 2
    lap, position = divmod(index, half)
    rank = permute(position, half, NAME, "order", split, seed, lap)
    number = permute(rank + (half if split == "train" else 0), contents(level), NAME, "split")
    prompt, answer = _chain(number, level)
    return Task(
        id=f"{NAME}/{level}/{split}/{index}" + (f"@{seed}" if seed else ""),
        prompt=(Message("user", prompt),),
        verifier="exact",
        answer=answer,
        answer_spec=AnswerSpec(type="text"),
        stratum=str(level),
    )


def _chain(number: int, level: int) -> tuple[str, str]:
    """Prompt and answer of a content by its number in [0, 10 * 20^level)."""
    number, value = divmod(number, 10)
    prompt, answer = [str(value)], []
    for _ in range(level):
        number, step = divmod(number, 20)
        sign, digit = ("+", step) if step < 10 else ("-", step - 10)
        value = (value + digit if sign == "+" else value - digit) % 10
        prompt.append(f"{sign}{digit}")
        answer.append(str(value))
    return "".join(prompt) + "=", "".join(answer)
