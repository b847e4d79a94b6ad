"""The group store: completed groups of earlier steps, for curricula that replay them.

It keeps token ids and sampling log-probabilities, across steps and in checkpoints. What is replayed is
marked in the ledger, never counted as new rollouts, and importance-weighted by the trainer: the clipped
ratio is taken to the stored log-probabilities.

A group is stored as it was judged, before any shaper: shaping and normalisation happen once, in the step
that replays it, whatever samples a curriculum puts together then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from harness.contract.errors import PluginError, TrainingError
from harness.contract.records import RolloutKey, builtins, convert
from harness.contract.samples import Group, Sample


class GroupStore:
    """The last groups of a stage that carried a signal (protocol `Store`).

    Args:
        keep: groups that it holds; the oldest is forgotten first.
    """

    def __init__(self, keep: int) -> None:
        self._groups: deque[Group] = deque(maxlen=keep)

    def groups(self) -> Sequence[Group]:
        return tuple(self._groups)

    def add(self, groups: Iterable[Group]) -> None:
        """Keep groups as they were judged; the session gives those whose shaped rewards differ.

        Raises:
            TrainingError: a rollout has no log-probabilities, so that nothing could be weighted later.
        """
        for group in groups:
            fresh = tuple(s for s in group.samples if not s.replayed)
            for sample in fresh:
                if sample.judged and (sample.rollout is None or sample.rollout.logprobs is None):
                    raise TrainingError(
                        f"a rollout of task {group.task!r} has no log-probabilities", where="stages.replay",
                        hint="use a trainer whose engine reports them, or leave replay out",
                    )  # fmt: skip
            if fresh:
                self._groups.append(replace(group, samples=fresh, known=0))

    def checked(self, group: Group, plugin: str) -> Group:
        """A group that a curriculum wants to replay, its samples marked and without advantages.

        Raises:
            PluginError: one of its samples is not in the store, is of another task, or comes twice.
        """
        known = {s.rollout.key: s for g in self._groups for s in g.samples if s.rollout is not None}
        samples = tuple(_marked(known, sample, plugin) for sample in group.samples)
        keys = [sample.rollout.key for sample in samples if sample.rollout is not None]
        where = f"curriculum {plugin!r}"
        foreign = next((key.task for key in keys if key.task != group.task), None)
        if foreign is not None:
            raise PluginError(
                f"replays a sample of task {foreign!r} in a group of task {group.task!r}", where=where,
                allowed="samples of the group's own task, which has one prompt",
            )  # fmt: skip
        if len(set(keys)) < len(keys):
            raise PluginError(
                f"replays a sample of task {group.task!r} twice in a group", where=where, allowed="once"
            )
        return replace(group, samples=samples, known=0)

    def state_dict(self) -> list[dict[str, Any]]:
        return [builtins(group) for group in self._groups]

    def load_state_dict(self, state: Sequence[Mapping[str, Any]]) -> None:
        self._groups = deque((convert(group, Group) for group in state), maxlen=self._groups.maxlen)


def _marked(known: Mapping[RolloutKey, Sample], sample: Sample, plugin: str) -> Sample:
    stored = known.get(sample.rollout.key) if sample.rollout is not None else None
    if stored is None:
        raise PluginError(
            "replays a sample that is not in the store", where=f"curriculum {plugin!r}",
            allowed="samples of context.store.groups()",
        )  # fmt: skip
    return msgspec.structs.replace(stored, replayed=True, advantage=0.0, credit=None)
