"""What every engine must do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from harness.protocols import Engine, Policy
from harness.records import Message, Request, Rollout, RolloutKey, Sampling, decode, encode
from harness.testing.plugin import Build


def gather(engine: Engine, requests: Sequence[Request]) -> dict[RolloutKey, Rollout]:
    """All rollouts by key; a key that comes twice fails."""

    async def run() -> list[Rollout]:
        return [rollout async for rollout in engine.generate(requests)]

    rollouts = asyncio.run(run())
    assert len({rollout.key for rollout in rollouts}) == len(rollouts), "a request was answered twice"
    return {rollout.key: rollout for rollout in rollouts}


class EngineConformance:
    """Subclass with the registered name, and a `policy` fixture if the engine has weights to sync."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: Prompts that it can answer.
    prompts: ClassVar[Sequence[str]]
    #: Longest completion that the tests ask for, in tokens.
    max_tokens: ClassVar[int] = 16
    #: Whether samples of a prompt differ at temperature 1, as those of a model do.
    stochastic: ClassVar[bool] = True

    @pytest.fixture
    def policy(self) -> Policy | None:
        """The weights to generate with; None for an engine without."""
        return None

    @pytest.fixture
    def engine(self, harness_build: Build, policy: Policy | None) -> Engine:
        engine: Engine = harness_build("engines", self.name, **self.options)
        if policy is not None:
            engine.sync_weights(policy)
        return engine

    def requests(self, samples: int = 4, **sampling: Any) -> list[Request]:
        how = replace(Sampling(max_tokens=self.max_tokens), **sampling)
        return [
            Request(RolloutKey("run", "train", "stage", 1, f"task-{i}", s), (Message("user", prompt),), how)
            for i, prompt in enumerate(self.prompts)
            for s in range(samples)
        ]

    def test_every_request_is_answered_once_as_asked(self, engine: Engine, policy: Policy | None) -> None:
        requests = self.requests()
        rollouts = gather(engine, requests)
        assert set(rollouts) == {request.key for request in requests}
        for request in requests:
            rollout = rollouts[request.key]
            assert rollout.sampling == request.sampling
            assert policy is None or rollout.policy == policy.ref
            assert len(rollout.prompt_ids) == engine.prompt_tokens(request)
            assert rollout.logprobs is None or len(rollout.logprobs) == len(rollout.completion_ids)
            assert decode(encode(rollout), Rollout) == rollout
        assert gather(engine, []) == {}

    def test_a_rollout_depends_on_its_key_and_not_on_its_company(self, engine: Engine) -> None:
        requests = self.requests()
        rollouts = gather(engine, requests)
        some = requests[::-3]
        for key, rollout in gather(engine, some).items():
            assert rollout.completion_ids == rollouts[key].completion_ids
            assert rollout.text == rollouts[key].text

    def test_max_tokens_is_a_limit_and_the_finish_says_when_it_was_met(self, engine: Engine) -> None:
        for limit in (1, self.max_tokens):
            for rollout in gather(engine, self.requests(max_tokens=limit)).values():
                assert len(rollout.completion_ids) <= limit
                if rollout.finish == "length":
                    assert len(rollout.completion_ids) == limit

    def test_greedy_samples_are_alike(self, engine: Engine) -> None:
        seen: dict[str, set[tuple[str, tuple[int, ...]]]] = {}
        for key, rollout in gather(engine, self.requests(temperature=0.0)).items():
            seen.setdefault(key.task, set()).add((rollout.text, rollout.completion_ids))
        assert all(len(samples) == 1 for samples in seen.values())

    def test_samples_differ(self, engine: Engine) -> None:
        if not self.stochastic:
            pytest.skip("this engine does not sample")
        rollouts = gather(engine, self.requests(samples=16)).values()
        assert len({(rollout.text, len(rollout.completion_ids)) for rollout in rollouts}) > 1
