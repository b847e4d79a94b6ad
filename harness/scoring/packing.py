"""Samples and verdicts on their way to a worker and back.

Pickle takes a frozen dataclass with slots apart in Python code, field by field, which costs more than most
verifications. Records travel as tuples of plain values instead; a task, of which many samples follow one
another, is packed once in the driver and unpacked once in the worker.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling, Task, Verdict
from harness.scoring import framing

#: Tasks kept packed, in the driver and in each worker.
KEPT: Final = 64

_names = {kind: tuple(f.name for f in fields(kind)) for kind in (Verdict, RolloutKey, PolicyRef, Sampling)}
_flat_verdict, _flat_key = attrgetter(*_names[Verdict]), attrgetter(*_names[RolloutKey])
_flat_policy, _flat_sampling = attrgetter(*_names[PolicyRef]), attrgetter(*_names[Sampling])


class Packer:
    """The driver's end. Not thread-safe beyond the interpreter's lock: a lost entry is packed again."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[int, tuple[Task, bytes]] = OrderedDict()

    def pack(self, task: Task, rollout: Rollout, *, tokens: bool) -> bytes:
        """A sample's content; token ids and log-probabilities only for verifiers that read them."""
        ids = (rollout.prompt_ids, rollout.completion_ids, rollout.logprobs) if tokens else ((), (), None)
        flat = (
            _flat_key(rollout.key),
            rollout.text,
            rollout.finish,
            _flat_policy(rollout.policy),
            _flat_sampling(rollout.sampling),
            rollout.seconds,
            rollout.tokens,
            rollout.reason,
            *ids,
        )
        return framing.dump((self._task(task), flat))

    def _task(self, task: Task) -> bytes:
        entry = self._tasks.get(id(task))
        if entry is not None and entry[0] is task:
            return entry[1]
        packed = framing.dump(task)
        # Held with its bytes, so that no other task can get its id while it is here.
        self._tasks[id(task)] = (task, packed)
        while len(self._tasks) > KEPT:
            self._tasks.popitem(last=False)
        return packed


def unpack_sample(content: bytes) -> tuple[Task, Rollout]:
    """The worker's end of `Packer.pack`."""
    packed, flat = framing.load(content)
    key, text, finish, policy, sampling, seconds, tokens, reason, *ids = flat
    prompt_ids, completion_ids, logprobs = ids
    rollout = Rollout(
        key=RolloutKey(*key),
        prompt_ids=prompt_ids,
        completion_ids=completion_ids,
        text=text,
        finish=finish,
        policy=_policy(policy),
        sampling=_sampling(sampling),
        logprobs=logprobs,
        seconds=seconds,
        completion_tokens=tokens,
        reason=reason,
    )
    return _task(packed), rollout


def pack_verdict(verdict: Verdict) -> tuple[Any, ...]:
    flat: tuple[Any, ...] = _flat_verdict(verdict)
    return flat


def unpack_verdict(flat: tuple[Any, ...]) -> Verdict:
    return Verdict(**dict(zip(_names[Verdict], flat, strict=True)))


@functools.lru_cache(KEPT)
def _task(packed: bytes) -> Task:
    task: Task = framing.load(packed)
    return task


@functools.lru_cache(KEPT)
def _policy(flat: tuple[Any, ...]) -> PolicyRef:
    return PolicyRef(**dict(zip(_names[PolicyRef], flat, strict=True)))


def _sampling(flat: tuple[Any, ...]) -> Sampling:
    return Sampling(**dict(zip(_names[Sampling], flat, strict=True)))
