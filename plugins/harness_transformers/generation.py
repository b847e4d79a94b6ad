"""Requests to rollouts: requests of one prompt share its prefill and all that they begin alike, and finished
completions leave the batch.

Completions of one prompt are the same computation until they first draw different tokens. Until then they
are decoded once, in one slot; where they part, the slot's cache is copied. What a completion draws depends
on its key, its position and the weights; batching changes neither (beyond the rounding of matrix products of
another shape).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from harness.contract import Finish, PolicyRef, Request, Rollout, Sampling, uniforms
from harness_transformers.network import Decoding, Network
from harness_transformers.prompts import Renderer
from harness_transformers.sampling import draw_rows

Array = npt.NDArray[Any]

#: Positions whose uniform numbers are made at once.
_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with the requests for it."""

    ids: tuple[int, ...]
    requests: tuple[Request, ...]


@dataclass(frozen=True, slots=True)
class Generator:
    """All that generating needs besides the requests."""

    network: Network
    renderer: Renderer
    #: Tokens that end a completion.
    ends: frozenset[int]
    device: torch.device
    #: Most completions decoded together.
    batch_rows: int = 256
    #: Most tokens (prompts and completions at full length) of a batch.
    batch_tokens: int = 262_144

    def rollouts(self, requests: Sequence[Request], policy: PolicyRef) -> Iterator[Rollout]:
        """One rollout per request, as they finish."""
        for sampling, prompts in _by_prompt(requests, self.renderer):
            for batch in self._batches(prompts, sampling):
                yield from _Batch(self, batch, sampling, policy).run()

    def _batches(self, prompts: list[Prompt], sampling: Sampling) -> Iterator[list[Prompt]]:
        """Prompts of similar length, within the limits."""
        batch: list[Prompt] = []
        rows = 0
        for prompt in sorted(prompts, key=lambda p: len(p.ids)):
            rows += len(prompt.requests)
            tokens = rows * (len(prompt.ids) + sampling.max_tokens)
            if batch and (rows > self.batch_rows or tokens > self.batch_tokens):
                yield batch
                batch, rows = [], len(prompt.requests)
            batch.append(prompt)
        if batch:
            yield batch


def _by_prompt(requests: Sequence[Request], renderer: Renderer) -> Iterator[tuple[Sampling, list[Prompt]]]:
    sharing: dict[Sampling, dict[tuple[object, ...], list[Request]]] = defaultdict(lambda: defaultdict(list))
    for request in requests:
        sharing[request.sampling][request.prompt].append(request)
    for sampling, by_prompt in sharing.items():
        yield (
            sampling,
            [Prompt(renderer.prompt_ids(same[0].prompt), tuple(same)) for same in by_prompt.values()],
        )


@dataclass(slots=True)
class _Batch:
    """Completions that are decoded together. Row r is request r of the batch, prompt by prompt."""

    by: Generator
    prompts: list[Prompt]
    sampling: Sampling
    policy: PolicyRef
    started: float = field(default_factory=time.perf_counter)

    @torch.inference_mode()
    def run(self) -> Iterator[Rollout]:
        yield from self._decode()

    def _decode(self) -> Iterator[Rollout]:
        rows = [(request, prompt) for prompt in self.prompts for request in prompt.requests]
        seeds = np.array([request.key.seed for request, _ in rows], dtype=np.uint64)
        limit = self.sampling.max_tokens
        decoding = self._prefill(len(rows))
        given = _given([request.prefix_ids for request, _ in rows])
        tokens = np.zeros((len(rows), limit), dtype=np.int64)
        logprobs = np.zeros((len(rows), limit), dtype=np.float32)
        ends = np.array(sorted(self.by.ends), dtype=np.int64)
        #: Rows that are still being written, and the slot that each is decoded in.
        live = np.arange(len(rows))
        slots = np.repeat(np.arange(len(self.prompts)), [len(p.requests) for p in self.prompts])
        for position in range(limit):
            prefix = given[live, position] if position < given.shape[1] else None
            if position % _AHEAD == 0:
                positions = np.arange(position, position + _AHEAD)[:, None]
                numbers = uniforms(seeds, positions)
            drawn, chances = draw_rows(
                decoding.logits, slots, numbers[position % _AHEAD, live], self.sampling, prefix
            )
            tokens[live, position] = drawn
            logprobs[live, position] = chances
            stopped = np.isin(drawn, ends)
            if self.sampling.stop:
                stopped |= self._at_stop_string(tokens[live, : position + 1])
            done = np.ones_like(stopped) if position + 1 == limit else stopped
            if done.any():
                made = zip(live[done].tolist(), stopped[done].tolist(), strict=True)
                yield from self._finish(
                    [(*rows[row], row, "stop" if stop else "length") for row, stop in made],
                    tokens[:, : position + 1],
                    logprobs,
                )
                live, slots, drawn = live[~done], slots[~done], drawn[~done]
                if not len(live):
                    return
            parents, appended, slots = merged(slots, drawn)
            decoding.step(appended, parents)

    def _prefill(self, rows: int) -> Decoding:
        lengths = torch.tensor([len(prompt.ids) for prompt in self.prompts])
        ids = torch.zeros(len(self.prompts), int(lengths.max()), dtype=torch.long)
        for row, prompt in zip(ids, self.prompts, strict=True):
            row[: len(prompt.ids)] = torch.tensor(prompt.ids)
        device = self.by.device
        return self.by.network.decode(ids.to(device), lengths.to(device), rows, self.sampling.max_tokens)

    def _at_stop_string(self, tokens: Array) -> Array:
        """Which completions (rows, length) hold a stop string; the whole text, since a tokenizer may merge
        across."""
        texts = self.by.renderer.texts(tokens.tolist())
        return np.array([any(stop in text for stop in self.sampling.stop) for text in texts])

    def _finish(
        self, done: list[tuple[Request, Prompt, int, Finish]], tokens: Array, logprobs: Array
    ) -> Iterator[Rollout]:
        length = tokens.shape[1]
        rows = [row for _, _, row, _ in done]
        completions: list[list[int]] = tokens[rows].tolist()
        chances: list[list[float]] = logprobs[rows, :length].tolist()
        texts = self.by.renderer.texts(completions)
        seconds = time.perf_counter() - self.started
        for (request, prompt, _, finish), ids, text, chance in zip(
            done, completions, texts, chances, strict=True
        ):
            yield Rollout(
                key=request.key,
                prompt_ids=prompt.ids,
                completion_ids=tuple(ids),
                text=_before(text, self.sampling.stop),
                finish=finish,
                policy=self.policy,
                sampling=self.sampling,
                logprobs=tuple(chance),
                seconds=seconds,
                prefix=len(request.prefix_ids),
            )


def merged(slots: Array, tokens: Array) -> tuple[Array, Array, Array]:
    """Completions (rows,) that have drawn the same tokens so far go on as one.

    Returns:
        The slot that each new slot continues and the token that it appends, (new slots,) both, in the order
        of `slots`; and each row's new slot, (rows,).
    """
    both = slots << 32 | tokens
    distinct, new = np.unique(both, return_inverse=True)
    return distinct >> 32, distinct & 0xFFFFFFFF, new


def _given(prefixes: Sequence[tuple[int, ...]]) -> Array:
    """Tokens that completions begin with, (rows, longest), -1 for those that are drawn. A completion that
    is continued draws at each position what it would have drawn unbroken."""
    given = np.full((len(prefixes), max(map(len, prefixes))), -1, dtype=np.int64)
    for row, prefix in zip(given, prefixes, strict=True):
        row[: len(prefix)] = prefix
    return given


def _before(text: str, stops: tuple[str, ...]) -> str:
    """The text up to the first stop string."""
    positions = [text.find(stop) for stop in stops if stop in text]
    return text[: min(positions)] if positions else text
