"""reasoning-gym's data sets as pure functions: configuration and number in, entry out.

An entry is item 0 of a data set that is built with the number as its seed: the one reading that holds
for all data sets (others tie items to a size, or let neighbouring seeds share items). Building one may
read megabytes of text, so a data set is built once and given new seeds, if it is seen to take them. Entries
that follow the order of sets of strings are made elsewhere (`ordered`).
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import datetime
import enum
import functools
import threading
import typing
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from harness.contract import DataError, near
from harness_gym.ordered import Entry, Repeats, ordered_entry, repeats

#: Seeds go from 0 to this; numpy takes no larger ones.
NUMBERS: Final = 2**32
_BEYOND_JSON: Final = (enum.Enum, datetime.date, datetime.time, datetime.timedelta)


class Generator:
    """One data set with one configuration."""

    def __init__(self, dataset: str, config: Mapping[str, Any]) -> None:
        """Raises DataError when there is no such data set, or it refuses the configuration."""
        self.dataset, self.config = dataset, dict(config)
        self._classes = _classes(dataset)
        self._typed = _typed(self._classes[1], self.config)
        self._lock = threading.Lock()
        self._build_config(0)
        self._shared: Any = None
        self._takes_seeds: bool | None = None
        self.entry = functools.lru_cache(maxsize=64)(self._entry)

    @property
    def repeats(self) -> Repeats:
        """Where it makes the same entries of equal numbers."""
        return repeats(self.dataset, packed(self.config))

    def score(self, answer: str, entry: Entry) -> float:
        """The data set's own score of an answer to an entry, in [0, 1]."""
        with self._lock:
            if self._shared is None:
                self._shared = self._build(0)
            return float(self._shared.score_answer(answer, copy.deepcopy(entry)))

    @property
    def category(self) -> str:
        """reasoning-gym's name for the kind of data set, such as `arithmetic`."""
        return str(self._classes[0].__module__.split(".")[1])

    def _entry(self, number: int) -> Entry:
        if self.repeats == "everywhere":
            return self.made_here(number)
        return ordered_entry(self.dataset, packed(self.config), number)

    def made_here(self, number: int) -> Entry:
        """The entry as this process makes it."""
        if self._takes_seeds is None:
            self._takes_seeds = self._check_seeds()
        if not self._takes_seeds:
            return dict(self._build(number)[0])
        self._shared.seed = number
        return dict(self._shared[0])

    def _check_seeds(self) -> bool:
        """Whether a data set that is given a seed later behaves as one that is built with it."""
        if self._shared is None:
            self._shared = self._build(0)
        for number in (1, NUMBERS - 1):
            self._shared.seed = number
            given, built = self._shared[0], self._build(number)[0]
            if given["question"] != built["question"] or given["answer"] != built["answer"]:
                return False
        return True

    def _build(self, number: int) -> Any:
        return self._classes[0](self._build_config(number))

    def _build_config(self, number: int) -> Any:
        try:
            config = self._classes[1](**self._typed, seed=number, size=1)
            if hasattr(config, "validate"):
                config.validate()
        except (TypeError, ValueError, AssertionError) as error:
            raise DataError(
                f"refuses its configuration {self.config}: {error}",
                where=f"reasoning-gym data set {self.dataset!r}",
                allowed=", ".join(n for n in self._classes[1].__annotations__ if n not in ("seed", "size")),
            ) from None
        return config


@functools.lru_cache(maxsize=256)
def generator(dataset: str, config: bytes) -> Generator:
    """The generator of a data set and a configuration (as JSON), shared within the process."""
    return Generator(dataset, msgspec.json.decode(config))


def packed(config: Mapping[str, Any]) -> bytes:
    """A configuration as `generator` takes it."""
    return msgspec.json.encode(dict(config), order="sorted")


def _typed(kind: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration's values as its class wants them: enumerations, dates and objects travel as JSON."""
    hints = typing.get_type_hints(kind)
    typed = dict(values)
    for name, value in values.items():
        if name in hints and _beyond_json(hints[name]):
            with contextlib.suppress(msgspec.ValidationError):  # the class then says what it refuses
                typed[name] = msgspec.convert(value, hints[name])
    return typed


def _beyond_json(hint: Any) -> bool:
    if isinstance(hint, type):
        return issubclass(hint, _BEYOND_JSON) or dataclasses.is_dataclass(hint)
    return any(map(_beyond_json, typing.get_args(hint)))


def level_count(dataset: str) -> int:
    """How many levels the curriculum has: those of its longest attribute; 0 without a curriculum."""
    from reasoning_gym.factory import CURRICULA, create_curriculum

    _classes(dataset)
    if dataset not in CURRICULA:
        return 0
    return max((len(a.levels) for a in create_curriculum(dataset).attributes.values()), default=1)


def level_config(dataset: str, level: int, *, exact: bool, fixed: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a curriculum's level; `exact` leaves the values of lower levels out.

    Raises:
        DataError: the data set refuses it.
    """
    from reasoning_gym.coaching.base_curriculum import DefaultCurriculumContext, RangeAttributeMode
    from reasoning_gym.factory import create_curriculum

    mode = RangeAttributeMode.UPPER_BOUND if exact else RangeAttributeMode.INCLUSIVE
    curriculum = create_curriculum(dataset)
    curriculum.set_global_level(level)
    try:
        made = curriculum.generate_configuration(
            {**fixed, "seed": 0, "size": 1}, context=DefaultCurriculumContext(mode=mode)
        )
    except (TypeError, ValueError, AssertionError) as error:
        raise DataError(
            f"refuses its configuration: {error}", where=f"reasoning-gym data set {dataset!r}, level {level}"
        ) from None
    values = {name: value for name, value in vars(made).items() if name not in ("seed", "size")} | dict(fixed)
    return dict(msgspec.json.decode(msgspec.json.encode(values)))


def _classes(dataset: str) -> tuple[Any, Any]:
    """A data set's class and its configuration's."""
    import reasoning_gym  # noqa: F401 - fills the registry
    from reasoning_gym.factory import DATASETS

    if dataset not in DATASETS:
        raise DataError(
            f"has no data set {dataset!r}", where="reasoning-gym", allowed=near(dataset, DATASETS)
        )
    return DATASETS[dataset]  # type: ignore[no-any-return]
