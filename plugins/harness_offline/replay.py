"""Engine `replay`: the rollouts of an earlier run, word for word.

Scores a recorded run again under another verifier, or repeats it without its model. It never
generates: a rollout that was not recorded is an error, not a guess. Rollouts stay in the file; memory
holds their keys and places.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from harness.contract import (
    UNPARSABLE,
    BuildContext,
    DataError,
    EngineError,
    Policy,
    Request,
    Rollout,
    RolloutKey,
    convert,
    encode,
    refuse_prefix,
)
from harness.planning import resolve
from harness.recipe import Model

NAME: Final = "replay"


class ReplayOptions(Model):
    """Which recorded rollouts are given back."""

    path: str
    """A ledger, or a jsonl file of rollouts: relative to the recipe, or `data:<path>` for the folder that
    HARNESS_DATA names."""
    match: Literal["key", "sample"] = "key"
    """Which recorded rollout answers a request. `key`: the one with the same key, so from the same place in
    the same run. `sample`: the last one in the file with the same task and sample number."""


class Replay:
    """Gives recorded rollouts back under the keys that are asked for."""

    def __init__(self, options: ReplayOptions, context: BuildContext) -> None:
        """Raises DataError if a line is neither a rollout nor a ledger line, or if no rollout is there."""
        self._match = options.match
        self._path = resolve(options.path, context, where=f"engine {NAME!r}, path")
        #: Where a rollout stands: start and end of its line in bytes, its place in the line's group.
        self._places: dict[tuple[Any, ...], tuple[int, int, int]] = {}
        for line, start, end in _lines(self._path):
            for key, place in _keys(line, f"{self._path}, byte {start}"):
                self._places[self._name(key)] = (start, end, place)
        if not self._places:
            raise DataError(
                "no rollout is recorded in it", where=str(self._path), hint='record with detail = "sample"'
            )
        self._file = os.open(self._path, os.O_RDONLY)

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """Yield the recorded rollouts in the order of the requests; raises EngineError for a missing one."""
        for request in requests:
            refuse_prefix(request, "replay")
            yield self._find(request)

    def prompt_tokens(self, request: Request) -> int:
        return len(self._find(request).prompt_ids)

    def sync_weights(self, policy: Policy) -> None:
        """Nothing changes: every rollout keeps the policy that it was recorded under."""

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _find(self, request: Request) -> Rollout:
        place = self._places.get(self._name(request.key))
        if place is None:
            raise EngineError(
                f"rollout {encode(request.key).decode()} was not recorded",
                where=str(self._path),
                hint="record it first" if self._match == "sample" else 'or replay with match = "sample"',
            )
        start, end, member = place
        line = msgspec.json.decode(os.pread(self._file, end - start, start))
        return replace(convert(_rollouts(line)[member], Rollout, where=str(self._path)), key=request.key)

    def _name(self, key: RolloutKey) -> tuple[Any, ...]:
        if self._match == "sample":
            return key.task, key.sample
        return key.run, key.phase, key.stage, key.step, key.task, key.sample


def _lines(path: Path) -> Iterator[tuple[bytes, int, int]]:
    """Each line with the bytes where it starts and ends, without the torn last line of a killed run."""
    start = 0
    with path.open("rb") as file:
        for line in file:
            end = start + len(line)
            if line.strip() and (line.endswith(b"\n") or _is_json(line)):
                yield line, start, end
            start = end


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except UNPARSABLE:
        return False
    return True


def _keys(line: bytes, where: str) -> Iterator[tuple[RolloutKey, int]]:
    try:
        value = msgspec.json.decode(line)
    except UNPARSABLE as error:
        raise DataError(f"is not JSON: {error}", where=where) from None
    if not isinstance(value, dict) or not ("t" in value or "key" in value):
        raise DataError("is neither a rollout nor a line of a ledger", where=where)
    for i, rollout in enumerate(_rollouts(value)):
        yield convert(rollout, Rollout, where=where).key, i


def _rollouts(line: dict[str, Any]) -> list[Any]:
    """The rollouts that a line holds: one, a group's, or none."""
    if "t" not in line:
        return [line]
    if line["t"] == "sample":
        return [line["rollout"]]
    if line["t"] == "group":
        return list(line["group"].get("rollouts", ()))
    return []
