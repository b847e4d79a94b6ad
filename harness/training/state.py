"""The state of a stage's plugin objects: in its checkpoints, and carried to later stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.contract.members import member
from harness.recipe import Stage
from harness.training.judging import StageParts


def of_parts(parts: StageParts) -> dict[str, Any]:
    """The state of all objects of a stage, by kind and in the recipe's order."""
    return {
        "curriculum": [dict(parts.curriculum.state_dict())],
        "reward": [_state("rewards", parts.reward)],
        "gates": [_state("gates", gate) for gate in parts.gates],
        "shapers": [_state("shapers", shaper) for shaper in parts.shapers],
    }


def restore_parts(parts: StageParts, kept: Mapping[str, Sequence[Any]]) -> None:
    """Give all objects of a stage their state back."""
    parts.curriculum.load_state_dict(kept["curriculum"][0])
    for kind, objects in _optional(parts).items():
        for part, known in zip(objects, kept[_FIELDS[kind]], strict=True):
            member(kind, part, "load_state_dict")(known)


def carried(stage: Stage, kept: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """The state of a finished stage's objects, by key: a later stage with the same object goes on with it."""
    return {key: kept[field][place] for key, field, place in _keys(stage)}


def inherit(parts: StageParts, stage: Stage, known: Mapping[str, Any]) -> None:
    """Give a new stage's objects the state that earlier stages left, unless the stage starts anew."""
    if stage.reset:
        return
    blank = of_parts(parts)
    for key, field, place in _keys(stage):
        blank[field][place] = known.get(key, blank[field][place])
    restore_parts(parts, blank)


#: The field of a stage that names the objects of a kind.
_FIELDS = {"rewards": "reward", "gates": "gates", "shapers": "shapers"}


def _optional(parts: StageParts) -> dict[str, Sequence[Any]]:
    """Objects whose state is optional, by kind."""
    return {"rewards": [parts.reward], "gates": parts.gates, "shapers": parts.shapers}


def _keys(stage: Stage) -> Iterator[tuple[str, str, int]]:
    """For each object of a stage: the key under which later stages find its state, its field, its place."""
    for field, uses in (
        ("curriculum", (stage.curriculum,)), ("reward", (stage.reward,)), ("gates", stage.gates),
        ("shapers", stage.shapers),
    ):  # fmt: skip
        for place, use in enumerate(uses):
            yield f"{field} {place} {use.model_dump_json()}", field, place


def _state(kind: str, part: Any) -> dict[str, Any]:
    return dict(member(kind, part, "state_dict")())
