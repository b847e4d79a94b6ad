"""Source `reasoning-gym`: procedural tasks whose strata are the levels of a curriculum.

A task's number is drawn by key (data set, stratum, seed, split, index); the text of the question decides
its split, and a number that falls in the other split moves on to the next. Train and held-out therefore
never share a question, under any seed. A stratum with few possible questions repeats some of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from harness_runner import values
from harness_tasks.splits import split_of

from harness.contract import BuildContext, DataError, Task, near, seed_of
from harness_gym.generator import NUMBERS, Generator, generator, level_config, level_count, packed
from harness_gym.options import GymOptions
from harness_gym.ordered import Entry

NAME: Final = "reasoning-gym"
#: Share of a stratum's questions that is held out.
HELDOUT_SHARE: Final = 0.25
#: Numbers in a row that may fall in the other split, and that the data set may fail to make a task of.
MAX_MOVES: Final = 1000
MAX_FAILURES: Final = 20


class Gym:
    """The tasks of one data set."""

    endless = True

    def __init__(self, options: GymOptions, context: BuildContext) -> None:
        """Raises DataError for an unknown data set or level, and for configurations it refuses."""
        self._options = options
        following = context.seed if options.split == "train" else 0
        self._seed = following if options.seed is None else options.seed
        self._configs = {
            f"{options.dataset}/{name}": packed(config) for name, config in _strata(options).items()
        }
        for subject in self._configs:
            try:
                self._generator(subject)
            except DataError as error:
                exact = options.spread == "exact" and not options.strata
                raise DataError(
                    error.what,
                    where=f"{self._where}, stratum {subject!r}",
                    allowed=error.allowed,
                    hint='spread = "up-to" takes the values of lower levels in' if exact else "",
                ) from None
        for subject in self._configs:
            self._refuse_unrepeatable(self._generator(subject))
        self._id = re.compile(rf"{NAME}/(.+)/{options.split}/(0|[1-9][0-9]*)(?:@(-?[1-9][0-9]*))?", re.ASCII)

    def subjects(self) -> Sequence[str]:
        """`<data set>/<level or stratum>`, in the curriculum's or the recipe's order."""
        return tuple(self._configs)

    def draw(self, subject: str, index: int) -> Task:
        """The `index`-th task of a stratum; raises DataError for a stratum it does not have."""
        if subject not in self._configs:
            raise DataError(
                f"has no stratum {subject!r}", where=self._where, allowed=near(subject, self._configs)
            )
        if index < 0:
            raise DataError(f"index {index} is negative", where=self._where)
        return self._task(subject, index, self._seed)

    def get(self, task_id: str) -> Task:
        """The task of this id in this source's strata and split, under any seed."""
        match = self._id.fullmatch(task_id)
        if match is None or match[1] not in self._configs:
            raise DataError(
                f"{task_id!r} is not a task of this source",
                where=self._where,
                allowed=f"{NAME}/<stratum>/{self._options.split}/<index>, with @<seed> if it is not 0; "
                f"strata: {', '.join(self._configs)}",
            )
        return self._task(match[1], int(match[2]), int(match[3] or 0))

    @property
    def _where(self) -> str:
        return f"task source {NAME!r}, data set {self._options.dataset!r}"

    def _refuse_unrepeatable(self, made: Generator) -> None:
        if made.repeats == "never":
            raise DataError(
                "makes other tasks of equal seeds in each process: no run with it can be repeated or resumed",
                where=self._where, hint="leave this data set out",
            )  # fmt: skip

    def _generator(self, subject: str) -> Generator:
        return generator(self._options.dataset, self._configs[subject])

    def _task(self, subject: str, index: int, seed: int) -> Task:
        options = self._options
        number, entry = self._search(subject, index, seed)
        made = self._generator(subject)
        return Task(
            id=f"{NAME}/{subject}/{options.split}/{index}" + (f"@{seed}" if seed else ""),
            prompt=options.prompt(entry["question"]),
            verifier=options.verifier,
            answer=entry["answer"],
            domain=made.category,
            stratum=subject,
            tags=(options.dataset,),
            meta={"dataset": options.dataset, "config": made.config, "number": number}
            | _carried(made, entry),
        )

    def _search(self, subject: str, index: int, seed: int) -> tuple[int, Entry]:
        """The first number of the index's own sequence whose question lies in this split."""
        made, split, failures = self._generator(subject), self._options.split, 0
        for move in range(MAX_MOVES):
            number = seed_of(NAME, subject, seed, split, index, move) % NUMBERS
            try:
                entry = made.entry(number)
            except (ValueError, RuntimeError, AssertionError, IndexError) as error:
                # Some data sets cannot make a puzzle of every seed: those seeds are skipped.
                failures += 1
                if failures == MAX_FAILURES:
                    raise DataError(
                        f"fails to make tasks of stratum {subject!r}: {error}",
                        where=self._where,
                        hint="leave the stratum out",
                    ) from error
                continue
            if split_of(entry["question"], HELDOUT_SHARE) == split:
                return number, entry
        raise DataError(
            f"stratum {subject!r} has too few questions to share: none of {MAX_MOVES} falls in {split!r}",
            where=self._where,
        )


def _carried(made: Generator, entry: Entry) -> dict[str, Any]:
    """The entry itself as plain data, where making it again takes a process of its own."""
    if made.repeats == "everywhere":
        return {}
    told = values.pack(entry)
    return {"entry": told} if values.unpack(told) == entry else {}


def _strata(options: GymOptions) -> dict[str, dict[str, Any]]:
    """Configurations by the stratum's name."""
    if options.strata:
        return {name: {**options.config, **fields} for name, fields in options.strata.items()}
    count = level_count(options.dataset)
    if count == 0:
        raise DataError(
            "has no curriculum",
            where=f"reasoning-gym data set {options.dataset!r}",
            hint="say what its strata are: strata = { easy = { ... } }",
        )
    levels = range(count) if options.levels is None else options.levels
    if levels[-1] >= count:
        raise DataError(
            f"has no level {levels[-1]}",
            where=f"reasoning-gym data set {options.dataset!r}",
            allowed=f"0 to {count - 1}",
        )
    exact = options.spread == "exact"
    return {
        str(level): level_config(options.dataset, level, exact=exact, fixed=options.config)
        for level in levels
    }
