"""Source `small-functions`: programs to write whose difficulty is one exact number.

The prompt of level n names n operations on a number, such as `f:+3*2-5=` (n = 3): write a function `f`
that does them from left to right, so that f(1) = (1 + 3) * 2 - 5 = 3. The answer is a list of calls with
their right values, which the verifier `code` asks; a program that leaves an operation out may get some
of them by luck, but not all. Level n has 27^n contents; `meta["solution"]` is one program that is right,
for supervised stages.

Contents are split and dealt as those of `arithmetic-chain` are: a fixed permutation's lower half is held out.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import Field, model_validator

from harness.contract import AnswerSpec, BuildContext, DataError, Message, Task, near
from harness.recipe import Count, Model
from harness_tasks.permutation import permute
from harness_tasks.strata import Strata, parse_strata

NAME: Final = "small-functions"
Split = Literal["train", "heldout"]
#: The most operations: beyond, values outgrow what a test should have to print.
MAX_LEVEL: Final = 50
#: What `f` is called with.
ARGUMENTS: Final = (0, 1, 2, 7, -3)
_OPERATIONS: Final[Mapping[str, Callable[[int, int], int]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
_SIGNS: Final = tuple(_OPERATIONS)
_ID: Final = re.compile(rf"{NAME}/([1-9]\d?)/(train|heldout)/(0|[1-9]\d*)(?:@(-?[1-9]\d*))?")


class FunctionOptions(Model):
    """Which functions are asked for, and the limits that their programs run under."""

    strata: Strata = Field(default_factory=lambda: parse_strata("1-4"))
    """Levels, which are numbers of operations: `"1-4"`, `"1-3,6"` or a list. From 1 to 50."""
    split: Split = "train"
    """Which part of the source's problems to give. `train` and `heldout` never share one, whatever the
    seed."""
    seed: int | None = None
    """Names the order in which problems are dealt. If not set, training follows the run's seed, and
    held-out tasks are the same in every run."""
    cpu_seconds: float = Field(default=1.0, gt=0)
    """CPU seconds per call of the function."""
    memory_mb: Count = 64
    """Memory per call of the function, in MiB."""

    @model_validator(mode="after")
    def _fits(self) -> FunctionOptions:
        if self.strata[0] < 1 or self.strata[-1] > MAX_LEVEL:
            raise ValueError(
                f"strata: levels run from 1 to {MAX_LEVEL}, not {self.strata[0]} to {self.strata[-1]}"
            )
        return self


class SmallFunctions:
    """Functions of one number, by how many operations they do."""

    endless = True

    def __init__(self, options: FunctionOptions, context: BuildContext) -> None:
        self._options = options
        following = context.seed if options.split == "train" else 0
        self._seed = following if options.seed is None else options.seed
        self._levels = {subject(level): level for level in options.strata}

    def subjects(self) -> Sequence[str]:
        """`functions-<level>`, easy to hard."""
        return tuple(self._levels)

    def draw(self, subject: str, index: int) -> Task:
        """The `index`-th function of a level; raises DataError for a level it does not have."""
        if subject not in self._levels:
            raise DataError(
                f"has no stratum {subject!r}",
                where=f"task source {NAME!r}",
                allowed=near(subject, self._levels),
            )
        if index < 0:
            raise DataError(f"index {index} is negative", where=f"task source {NAME!r}")
        return self._task(self._levels[subject], self._options.split, index, self._seed)

    def get(self, task_id: str) -> Task:
        """The function of this id, of any level, split and seed; raises DataError for another form."""
        match = _ID.fullmatch(task_id)
        if match is None or int(match[1]) > MAX_LEVEL:
            raise DataError(
                f"{task_id!r} is not a task of this source",
                where=f"task source {NAME!r}",
                allowed=f"{NAME}/<level>/<train|heldout>/<index>, with @<seed> if it is not 0",
            )
        split: Split = "train" if match[2] == "train" else "heldout"
        return self._task(int(match[1]), split, int(match[3]), int(match[4] or 0))

    def _task(self, level: int, split: Split, index: int, seed: int) -> Task:
        size = contents(level)
        half = size // 2
        # The held-out half is the smaller one if they differ: 27^n is odd.
        first, count = (half, size - half) if split == "train" else (0, half)
        lap, position = divmod(index, count)
        rank = permute(position, count, NAME, "order", split, seed, lap)
        steps = _steps(permute(first + rank, size, NAME, "split"), level)
        return Task(
            id=f"{NAME}/{level}/{split}/{index}" + (f"@{seed}" if seed else ""),
            prompt=(Message("user", "f:" + "".join(f"{sign}{digit}" for sign, digit in steps) + "="),),
            verifier="code",
            answer=self._answer(steps),
            domain="code",
            answer_spec=AnswerSpec(type="program"),
            stratum=subject(level),
            meta={"solution": solution(steps)},
        )

    def _answer(self, steps: Sequence[tuple[str, int]]) -> dict[str, Any]:
        seconds = self._options.cpu_seconds
        return {
            "kind": "functional",
            "entry_point": "f",
            "tests": [{"args": [value], "expected": _value(steps, value)} for value in ARGUMENTS],
            "limits": {
                "cpu_seconds": seconds,
                # A crowded host must not fail a program that was quick.
                "wall_seconds": 10 * seconds,
                "memory_mb": self._options.memory_mb,
            },
        }


def subject(level: int) -> str:
    """The stratum of a level."""
    return f"functions-{level}"


def contents(level: int) -> int:
    """How many functions of this level there are, both splits together."""
    return int(27**level)


def solution(steps: Sequence[tuple[str, int]]) -> str:
    """A completion that is right: a fenced program."""
    lines = "".join(f" a{sign}={digit}\n" for sign, digit in steps)
    return f"```\ndef f(a):\n{lines} return a\n```"


def _steps(number: int, level: int) -> list[tuple[str, int]]:
    """Sign and digit of each operation of a content by its number in [0, 27^level)."""
    steps = []
    for _ in range(level):
        number, step = divmod(number, 27)
        steps.append((_SIGNS[step // 9], step % 9 + 1))
    return steps


def _value(steps: Sequence[tuple[str, int]], value: int) -> int:
    for sign, digit in steps:
        value = _OPERATIONS[sign](value, digit)
    return value
