"""A small model with random weights, by the loader that the recipe names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from harness.contract import Engine, Policy, PolicyRef, Request, Rollout, RolloutKey

from harness_codethinker.programs import CHARACTERS


@pytest.fixture
def tiny(harness_build: Callable[..., Any]) -> Policy:
    pytest.importorskip("torch", reason="the model is made with torch")
    options = {"characters": CHARACTERS, "width": 16, "heads": 2, "layers": 1, "mlp_width": 32}
    files = harness_build("models", "random-llama", **options, initializer_range=0.5).load()
    return Policy(PolicyRef(weights_sha=files.weights_sha), files)


@pytest.fixture
def gather() -> Callable[[Engine, Sequence[Request]], dict[RolloutKey, Rollout]]:
    """All rollouts of an engine, by key."""

    def gathered(engine: Engine, requests: Sequence[Request]) -> dict[RolloutKey, Rollout]:
        async def run() -> dict[RolloutKey, Rollout]:
            return {rollout.key: rollout async for rollout in engine.generate(requests)}

        return asyncio.run(run())

    return gathered
