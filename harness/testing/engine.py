"""What every engine must do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from harness.contract.protocols import BuildContext, Engine, Policy
from harness.contract.records import Message, Request, Rollout, RolloutKey, Sampling, decode, encode
from harness.plugging.plugins import Plugins
from harness.plugging.registry import Registration
from harness.testing.metering import Meter, metered
from harness.testing.plugin import Build

#: Token ids of a completion -> its text, without special tokens.
Decode = Callable[[Sequence[int]], str]
#: Files of which a folder in transformers' form has one.
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json")


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
    #: Whether sampling after a prefix goes on as it would have without one. False for an engine whose sampler
    #: has a state of its own: then only greedy completions are compared.
    sampling_goes_on: ClassVar[bool] = True
    #: Whether it treats the requests of a task together, as a beam does: a rollout then depends on the other
    #: requests of its task, and on no other task.
    groups: ClassVar[bool] = False
    #: Whether rollouts carry token ids; an engine without them reports lengths alone.
    token_ids: ClassVar[bool] = True

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

    @pytest.fixture
    def decode(self, policy: Policy | None) -> Decode | None:
        """How its token ids read: by the policy's tokenizer. None for an engine without ids, or whose policy
        has no tokenizer; an engine whose ids stand for something else says here what."""
        if policy is None or not self.token_ids:
            return None
        if not any((policy.files.path / name).is_file() for name in TOKENIZERS):
            return None
        transformers = pytest.importorskip("transformers", reason="the policy's tokenizer needs it")
        tokenizer = transformers.AutoTokenizer.from_pretrained(policy.files.path)

        def text(ids: Sequence[int]) -> str:
            return str(tokenizer.decode(list(ids), skip_special_tokens=True))

        return text

    @pytest.fixture
    def registration(self, harness_plugins: Plugins) -> Registration:
        return harness_plugins.registry.find("engines", self.name)

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
            assert rollout.tokens > 0 or not rollout.text
            if self.token_ids:
                assert rollout.finish == "abort" or rollout.completion_ids
                assert len(rollout.prompt_ids) == engine.prompt_tokens(request)
            else:
                assert rollout.prompt_ids == rollout.completion_ids == ()
                assert engine.prompt_tokens(request) > 0
            assert rollout.logprobs is None or len(rollout.logprobs) == len(rollout.completion_ids)
            assert decode(encode(rollout), Rollout) == rollout
        assert gather(engine, []) == {}

    def test_a_rollout_depends_on_its_key_and_not_on_its_company(self, engine: Engine) -> None:
        requests = self.requests()
        rollouts = gather(engine, requests)
        some = requests[::-3]
        if self.groups:
            some = [request for request in reversed(requests) if request.key.task != requests[0].key.task]
            assert some, "one prompt is no company: give several"
        for key, rollout in gather(engine, some).items():
            assert rollout.completion_ids == rollouts[key].completion_ids
            assert rollout.text == rollouts[key].text

    def test_max_tokens_is_a_limit_and_the_finish_says_when_it_was_met(self, engine: Engine) -> None:
        for limit in (1, self.max_tokens):
            for rollout in gather(engine, self.requests(max_tokens=limit)).values():
                assert rollout.tokens <= limit
                if rollout.finish == "length":
                    assert rollout.tokens == limit
                if rollout.finish == "budget":
                    assert 0 < rollout.tokens < limit

    def test_greedy_samples_are_alike(self, engine: Engine) -> None:
        seen: dict[str, set[tuple[str, tuple[int, ...]]]] = {}
        for key, rollout in gather(engine, self.requests(temperature=0.0)).items():
            seen.setdefault(key.task, set()).add((rollout.text, rollout.completion_ids))
        assert all(len(samples) == 1 for samples in seen.values())

    def test_samples_differ(self, engine: Engine) -> None:
        if not self.stochastic:
            pytest.skip("this engine does not sample")
        rollouts = gather(engine, self.requests(samples=16)).values()
        assert len({(rollout.text, rollout.tokens) for rollout in rollouts}) > 1

    def test_the_text_is_what_the_token_ids_say(self, engine: Engine, decode: Decode | None) -> None:
        """Verifiers read the text and the loss the ids: both are the same completion."""
        if decode is None:
            pytest.skip("its rollouts have no token ids, or its policy no tokenizer")
        for limit in (max(1, self.max_tokens // 4), self.max_tokens):
            for rollout in gather(engine, self.requests(max_tokens=limit)).values():
                said = decode(rollout.completion_ids)
                assert rollout.text == said, (
                    f"the text is {rollout.text!r} and the token ids {rollout.completion_ids} say {said!r}"
                )

    def test_equal_requests_give_equal_rollouts(self, engine: Engine) -> None:
        """A resumed run makes its requests anew: no seed may come from an object's identity, a clock or a
        count of calls."""
        asked, anew = self.requests(), [decode(encode(request), Request) for request in self.requests()]
        first, second = gather(engine, asked), gather(engine, anew)
        for key, rollout in first.items():
            same = second[key].text == rollout.text and second[key].completion_ids == rollout.completion_ids
            assert same, (
                f"{key} came back as {rollout.text!r} and then as {second[key].text!r}: "
                "its seed is not the key's"
            )

    def test_what_it_gives_up_has_a_reason(
        self, engine: Engine, registration: Registration, build_context: BuildContext, policy: Policy | None
    ) -> None:
        """Also if the engines that it wraps give up: each request still has its rollout."""
        for rollout in gather(engine, self.requests()).values():
            assert rollout.finish != "abort" or rollout.reason, f"{rollout.key} is an abort without a reason"
        meter = Meter(broken=True)
        wrapper = self._metered(registration, build_context, meter, policy)
        if wrapper is None:
            return
        requests = self.requests()
        rollouts = gather(wrapper, requests)
        wrapper.close()
        assert set(rollouts) == {request.key for request in requests}, (
            "requests that its engine gave up are lost"
        )
        for rollout in rollouts.values():
            assert rollout.finish == "abort", f"its engine gave up, and {rollout.key} says {rollout.finish!r}"
            assert rollout.reason, f"{rollout.key} is an abort without a reason"

    def test_a_wrapper_counts_what_was_generated_once(
        self, registration: Registration, build_context: BuildContext, policy: Policy | None
    ) -> None:
        """Budgets count `Rollout.generated`: the completion, and in `cost` what else was generated for it."""
        meter = Meter()
        wrapper = self._metered(registration, build_context, meter, policy)
        if wrapper is None:
            pytest.skip("it wraps no engine")
        rollouts = gather(wrapper, self.requests())
        wrapper.close()
        counted = sum(rollout.generated for rollout in rollouts.values())
        extra = sum(rollout.cost.tokens for rollout in rollouts.values())
        assert counted == meter.generated, (
            f"its rollouts count {counted} tokens, {extra} of them as `cost`, "
            f"and its engines generated {meter.generated}"
        )

    def test_a_prefix_is_continued(self, engine: Engine, registration: Registration) -> None:
        """An engine that declares `prefix` goes on from a rollout's own beginning to that rollout."""
        if not registration.capabilities.get("prefix"):
            pytest.skip("it does not declare the capability 'prefix'")
        for temperature in (0.0, 1.0):
            requests = self.requests(samples=2, temperature=temperature)
            whole = gather(engine, requests)
            begun = [
                replace(request, prefix_ids=whole[request.key].completion_ids[:cut])
                for request, cut in zip(requests, [1, 2, 3] * len(requests), strict=False)
                if len(whole[request.key].completion_ids) > cut
            ]
            assert begun, "no completion is long enough to be continued: raise `max_tokens`"
            for request in begun:
                (rollout,) = gather(engine, [request]).values()
                given, first = request.prefix_ids, whole[request.key]
                assert rollout.completion_ids[: len(given)] == given, "the prefix is not in `completion_ids`"
                assert rollout.prefix == len(given), (
                    f"`prefix` is {rollout.prefix} after a prefix of {len(given)} tokens: they are paid again"
                )
                assert len(rollout.completion_ids) <= request.sampling.max_tokens, "the prefix does not count"
                if temperature and not self.sampling_goes_on:
                    continue
                assert rollout.completion_ids == first.completion_ids, (
                    f"continued from {given} it says {rollout.completion_ids}, and {first.completion_ids} "
                    "without a prefix"
                )
                assert rollout.text == first.text

    def _metered(
        self, registration: Registration, context: BuildContext, meter: Meter, policy: Policy | None
    ) -> Engine | None:
        """The engine over counted ones; None if it wraps none."""
        made: Engine = registration.build(self.options, metered(context, meter))
        if not meter.engines:
            made.close()
            return None
        if policy is not None:
            made.sync_weights(policy)
        return made
