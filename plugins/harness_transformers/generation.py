"""Requests to rollouts: requests of one prompt share its prefill, finished completions leave the batch.

What a completion draws depends on its key, its position and the weights; batching changes neither
(beyond the rounding of matrix products of another shape).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from harness import seeds
from harness.records import Finish, PolicyRef, Request, Rollout, Sampling
from harness_transformers.network import Decoding, Network
from harness_transformers.prompts import Renderer
from harness_transformers.sampling import draw


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
        """One rollout a request, as they finish."""
        for sampling, prompts in _by_prompt(requests, self.renderer):
            for batch in self._batches(prompts, sampling):
                yield from _Batch(self, batch, sampling, policy).run()

    def _batches(self, prompts: list[Prompt], sampling: Sampling) -> Iterator[list[Prompt]]:
        """Prompts of one group size and similar length, within the limits."""
        prompts = sorted(prompts, key=lambda p: (len(p.requests), len(p.ids)))
        batch: list[Prompt] = []
        for prompt in prompts:
            group = len(prompt.requests)
            rows = (len(batch) + 1) * group
            full = (
                rows > self.batch_rows or rows * (len(prompt.ids) + sampling.max_tokens) > self.batch_tokens
            )
            if batch and (full or group != len(batch[0].requests)):
                yield batch
                batch = []
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
        requests = [(request, prompt) for prompt in self.prompts for request in prompt.requests]
        row_seeds = np.array([request.key.seed for request, _ in requests], dtype=np.uint64)
        limit, device = self.sampling.max_tokens, self.by.device
        decoding = self._prefill()
        tokens = torch.zeros(len(requests), limit, dtype=torch.long)
        logprobs = torch.zeros(len(requests), limit)
        ends = torch.tensor(sorted(self.by.ends), device=device)
        #: Row of each slot, and whether that row is still being written.
        rows = torch.arange(len(requests))
        alive = torch.ones(len(requests), dtype=torch.bool)
        for position in range(limit):
            uniforms = torch.from_numpy(seeds.uniforms(row_seeds[rows.numpy()], position)).to(device)
            drawn, drawn_logprobs = draw(decoding.logits, uniforms, self.sampling)
            stays = alive.nonzero().squeeze(1)
            tokens[rows[stays], position] = drawn[stays].cpu()
            logprobs[rows[stays], position] = drawn_logprobs[stays].cpu()
            stopped = alive & torch.isin(drawn, ends).cpu()
            if self.sampling.stop:
                stopped |= alive & self._at_stop_string(tokens, rows, alive, position + 1)
            last = position + 1 == limit
            done = alive if last else stopped
            if done.any():
                slots = done.nonzero().squeeze(1).tolist()
                yield from self._finish(
                    [(*requests[rows[s]], int(rows[s]), "stop" if stopped[s] else "length") for s in slots],
                    tokens[:, : position + 1],
                    logprobs,
                )
                alive = alive & ~done
                if not alive.any():
                    return
                old = decoding.keep(alive.to(device))
                if old is not None:
                    drawn, old = drawn[old], old.cpu()
                    rows, alive = rows[old], alive[old]
            decoding.step(drawn)

    def _prefill(self) -> Decoding:
        lengths = torch.tensor([len(prompt.ids) for prompt in self.prompts])
        ids = torch.zeros(len(self.prompts), int(lengths.max()), dtype=torch.long)
        for row, prompt in zip(ids, self.prompts, strict=True):
            row[: len(prompt.ids)] = torch.tensor(prompt.ids)
        return self.by.network.decode(
            ids.to(self.by.device),
            lengths.to(self.by.device),
            len(self.prompts[0].requests),
            self.sampling.max_tokens,
        )

    def _at_stop_string(self, tokens: Tensor, rows: Tensor, alive: Tensor, length: int) -> Tensor:
        """Slots whose text holds a stop string; the whole text, since a tokenizer may merge across."""
        slots = alive.nonzero().squeeze(1)
        texts = self.by.renderer.texts(tokens[rows[slots], :length].tolist())
        hit = torch.zeros_like(alive)
        hit[slots] = torch.tensor([any(stop in text for stop in self.sampling.stop) for text in texts])
        return hit

    def _finish(
        self, done: list[tuple[Request, Prompt, int, Finish]], tokens: Tensor, logprobs: Tensor
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
            )


def _before(text: str, stops: tuple[str, ...]) -> str:
    """The text up to the first stop string."""
    found = [text.find(stop) for stop in stops if stop in text]
    return text[: min(found)] if found else text
