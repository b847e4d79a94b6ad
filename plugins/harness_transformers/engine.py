"""The engine `transformers`: generates in this process, on CPU or CUDA."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Literal

from pydantic import Field

from harness.contract import BuildContext, EngineError, Policy, PolicyRef, Request, Rollout
from harness.recipe import Model
from harness_transformers.device import resolve_device, set_threads
from harness_transformers.generation import Generator
from harness_transformers.network import open_network
from harness_transformers.prompts import Renderer, end_tokens
from harness_transformers.weights import check_weights


class EngineOptions(Model):
    """Options of the engine `transformers`. Those that are not set are taken from the recipe's `[model]`
    and `[resources]`."""

    prompt: Literal["chat", "raw"] | None = None
    """How messages become a prompt: `chat` renders them with the tokenizer's chat template, `raw` joins
    their texts. If not set, `model.prompt` of the recipe decides."""
    device: Literal["auto", "cpu", "cuda"] | None = None
    """Device of the model; `auto` takes a GPU if there is one. If not set, `resources.device` of the recipe
    decides."""
    precision: Literal["fp32", "bf16"] | None = None
    """Precision of matrix products; weights stay fp32. If not set, `resources.precision` of the recipe
    decides."""
    threads: int | None = Field(default=None, gt=0)
    """CPU threads of PyTorch. If not set, `resources.threads` of the recipe decides."""
    batch_rows: int = Field(default=256, gt=0)
    """Most completions that are decoded together."""
    batch_tokens: int = Field(default=262_144, gt=0)
    """Most tokens (prompts, and completions at full length) that are decoded together. It bounds the memory
    of the key-value cache."""
    own_decoder: bool = True
    """Whether Llama models are decoded by this project's own code. False uses transformers' forward pass
    for them too, which is slower and gives the same numbers."""


class TransformersEngine:
    """Generates with the policy that `sync_weights` gave last."""

    def __init__(self, options: EngineOptions | None, context: BuildContext) -> None:
        self.options = options or EngineOptions()
        self.mode = self.options.prompt or context.render
        resources = context.resources
        self.device = resolve_device(self.options.device or resources.device)
        self.precision = self.options.precision or resources.precision
        set_threads(self.options.threads or resources.threads)
        self._generator: Generator | None = None
        self._policy: PolicyRef | None = None
        self._context_length = 0

    def sync_weights(self, policy: Policy) -> None:
        """Open the policy's folder; nothing happens when its weights are already here.

        Raises:
            DataError: it is a run's checkpoint whose weights have changed.
        """
        if self._policy is not None and self._policy.weights_sha == policy.ref.weights_sha:
            self._policy = policy.ref
            return
        check_weights(policy)
        network = open_network(
            policy.files.path,
            device=self.device.type,
            precision=self.precision,
            own_decoder=self.options.own_decoder,
        )
        renderer = Renderer.open(policy.files.path, self.mode)
        self.adopt(
            Generator(
                network,
                renderer,
                end_tokens(renderer, getattr(network.module, "generation_config", None)),
                self.device,
                self.options.batch_rows,
                self.options.batch_tokens,
            ),
            policy.ref,
            policy.files.context_length,
        )

    def adopt(self, generator: Generator, policy: PolicyRef, context_length: int) -> None:
        """Generate with a live network, such as the one a trainer updates; nothing is copied."""
        self._generator, self._policy, self._context_length = generator, policy, context_length

    @property
    def policy(self) -> PolicyRef:
        """Whose weights it generates with."""
        return self._ready()[1]

    def rollouts(self, requests: Sequence[Request]) -> Iterator[Rollout]:
        """One rollout per request as they finish, without an event loop.

        Raises:
            EngineError: no weights yet, or a prompt and its completion exceed the context.
        """
        generator, policy = self._ready()
        generator.renderer.fitting(requests, self._context_length)
        yield from generator.rollouts(requests, policy)

    async def generate(self, requests: Sequence[Request]) -> AsyncIterator[Rollout]:
        """One rollout per request, as they finish; other coroutines run between two."""
        for rollout in self.rollouts(requests):
            yield rollout
            await asyncio.sleep(0)

    def prompt_tokens(self, request: Request) -> int:
        """Length of the rendered prompt, in tokens."""
        return len(self._ready()[0].renderer.prompt_ids(request.prompt))

    def close(self) -> None:
        """Free the weights."""
        self._generator = self._policy = None

    def _ready(self) -> tuple[Generator, PolicyRef]:
        if self._generator is None or self._policy is None:
            raise EngineError(
                "has no weights yet", where="engine 'transformers'", hint="call sync_weights first"
            )
        return self._generator, self._policy
