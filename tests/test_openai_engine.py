"""The engine `openai` against real servers: what it asks, what it makes of answers, what it survives."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'openai'")

from harness_openai.engine import OpenAIEngine
from harness_openai.fleet import MAX_PAUSE, pause
from harness_openai.options import OpenAIOptions
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import EngineError, RecipeError
from harness.protocols import ModelFiles, Policy
from harness.recipe.errors import validated
from harness.records import Message, PolicyRef, Request, Rollout, Sampling, decode, encode
from harness.scoring.judge import judge
from harness.testing import EngineConformance
from harness.testing.plugin import Build
from tests.builders import context, key, request, task
from tests.support.openai_server import Fake, serving, spawn

#: Quick reactions, for servers on this machine.
QUICK = {"backoff": 0.01, "health_every": 0.2, "patience": 1.0, "deadline": 20.0}


def engine(*servers: str, **options: Any) -> OpenAIEngine:
    values = {"servers": servers, "prompt": "raw"} | QUICK | options
    return OpenAIEngine(validated(OpenAIOptions, values, where="test"), context())


def asks(count: int = 8, *, prompt: str = "1+1=", **sampling: Any) -> list[Request]:
    how = Sampling(**({"max_tokens": 64} | sampling))
    return [Request(key(sample=i), (Message("user", prompt),), how) for i in range(count)]


def run(subject: OpenAIEngine, requests: Sequence[Request], during: Any = None) -> list[Rollout]:
    """All rollouts; `during(rollouts so far)` is called after each."""

    async def collect() -> list[Rollout]:
        found = []
        async for rollout in subject.generate(requests):
            found.append(rollout)
            if during:
                during(found)
        return found

    return asyncio.run(asyncio.wait_for(collect(), 60))


def texts(rollouts: Sequence[Rollout]) -> dict[int, str]:
    return {r.key.sample: r.text for r in rollouts}


class _Conforms(EngineConformance):
    name = "openai"
    prompts = ["What is 1+1?", "Name a prime."]
    #: Of the server.
    script: dict[str, Any] = {}
    more: dict[str, Any] = {}

    @pytest.fixture
    def policy(self) -> Policy:
        return Policy(PolicyRef(weights_sha="abc"), ModelFiles(Path(), "abc", 4096, True))

    @pytest.fixture
    def engine(self, harness_build: Build, policy: Policy | None) -> Iterator[OpenAIEngine]:
        with serving(**self.script) as one, serving(**self.script) as two:
            made: OpenAIEngine = harness_build("engines", "openai", servers=[one.url, two.url], **self.more)
            assert policy is not None
            made.sync_weights(policy)
            yield made
            made.close()


class TestChatOfVllm(_Conforms):
    pass


class TestRawOfVllm(_Conforms):
    more = {"prompt": "raw"}


class TestChatOfOthers(_Conforms):
    token_ids = False
    script = {"vllm": False}

    @pytest.fixture(autouse=True)
    def tokenizer(self, tmp_path: Path) -> None:
        """Counts prompts where the server does not: a byte a token, as the server's own."""
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        made = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
        fast = PreTrainedTokenizerFast(tokenizer_object=made)
        fast.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
        fast.save_pretrained(tmp_path / "tokenizer")

    more = {"tokenizer": "tokenizer"}


# What is asked ------------------------------------------------------------------------------------


def test_each_request_has_its_own_seed_and_exactly_its_sampling() -> None:
    with serving() as server:
        requests = asks(5, temperature=0.6, top_p=0.95, top_k=20, max_tokens=9, stop=("\n",))
        run(engine(server.url), requests)
    assert {b["seed"] for b in server.bodies} == {r.key.seed for r in requests}
    assert len({b["seed"] for b in server.bodies}) == 5
    for body in server.bodies:
        assert (body["model"], body["prompt"], body["stop"]) == ("tiny", "1+1=", ["\n"])
        assert (body["temperature"], body["top_p"], body["top_k"], body["max_tokens"]) == (0.6, 0.95, 20, 9)
        # What vLLM would otherwise take from the model's generation config.
        assert (body["min_p"], body["repetition_penalty"], body["add_special_tokens"]) == (0.0, 1.0, False)


def test_other_servers_are_sent_nothing_that_they_do_not_know() -> None:
    with serving(vllm=False) as server:
        run(engine(server.url, prompt="chat", model="tiny", extra={"user": "me"}), asks(1))
    assert set(server.bodies[0]) == {
        "model", "seed", "temperature", "top_p", "max_tokens", "messages", "user",
    }  # fmt: skip


def test_the_key_comes_from_its_variable_and_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="NO_SUCH_KEY is not set"):
        engine("http://h/v1", api_key_env="NO_SUCH_KEY")
    monkeypatch.setenv("A_KEY", "right-key")
    monkeypatch.setenv("B_KEY", "wrong-key")
    with serving(key="right-key") as server:
        assert len(run(engine(server.url, api_key_env="A_KEY"), asks(2))) == 2
        with pytest.raises(EngineError, match=r"refuses the key of B_KEY: 401 wrong key Bearer \*\*\*"):
            run(engine(server.url, api_key_env="B_KEY"), asks(2))
        with pytest.raises(EngineError, match="refuses a request without a key"):
            run(engine(server.url), asks(2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"servers": []}, "servers"),
        ({"servers": ["localhost:8000"]}, "is no base URL"),
        ({"servers": ["http://a/v1", "http://a/v1/"]}, "named twice"),
        ({"servers": ["http://me:secret@a/v1"]}, "number 1 holds a password"),
        ({"servers": ["http://a/v1"], "api_key_env": "sk-secret"}, "never write the value itself"),
        ({"servers": ["http://a/v1"], "extra": {"seed": 1}}, "seed: set by the harness"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as raised:
        validated(OpenAIOptions, options, where="test")
    assert "secret" not in str(raised.value)


# What is made of answers --------------------------------------------------------------------------


def test_vllm_gives_ids_and_log_probabilities() -> None:
    with serving() as server:
        for mode in ("raw", "chat"):
            for rollout in run(engine(server.url, prompt=mode), asks(3, max_tokens=5)):
                assert bytes(rollout.completion_ids).decode() == rollout.text
                assert rollout.logprobs == tuple(-0.5 - i for i in range(len(rollout.text)))
                assert rollout.completion_tokens is None
                assert rollout.finish == ("length" if len(rollout.text) == 5 else "stop")


def test_without_ids_the_length_is_what_the_server_reports() -> None:
    with serving(vllm=False) as server:
        for rollout in run(engine(server.url), asks(3)):
            assert (rollout.prompt_ids, rollout.completion_ids, rollout.logprobs) == ((), (), None)
            assert rollout.tokens == rollout.completion_tokens == len(rollout.text)
            assert decode(encode(rollout), Rollout) == rollout


@pytest.mark.parametrize(
    ("message", "fault", "text"),
    [
        ({"content": "4", "reasoning": "2+2"}, "ok", "<think>2+2</think>4"),
        ({"content": "4", "reasoning_content": "2+2"}, "ok", "<think>2+2</think>4"),
        ({"content": None, "reasoning": "2+"}, "finish:length", "<think>2+"),
        ({"content": None, "reasoning": "2+2"}, "finish:stop", "<think>2+2</think>"),
        ({"content": None}, "finish:stop", ""),
    ],
)
def test_parsed_reasoning_is_put_back(message: dict[str, Any], fault: str, text: str) -> None:
    with serving(message=message, always=fault) as server:
        assert run(engine(server.url, prompt="chat"), asks(1))[0].text == text


def test_weights_name_the_rollouts_and_cannot_be_changed() -> None:
    with serving() as server:
        subject = engine(server.url)
        assert run(subject, asks(1))[0].policy.weights_sha == "served:tiny"
        files = ModelFiles(Path(), "abc", 10, False)
        subject.sync_weights(Policy(PolicyRef(weights_sha="abc", step=1), files))
        subject.sync_weights(Policy(PolicyRef(weights_sha="abc", step=2), files))
        assert run(subject, asks(1))[0].policy == PolicyRef(weights_sha="abc", step=2)
        with pytest.raises(EngineError, match="keep the weights"):
            subject.sync_weights(Policy(PolicyRef(weights_sha="def"), files))


def test_prompts_that_nothing_can_count_are_refused() -> None:
    with serving(vllm=False) as server, pytest.raises(EngineError, match=r"404(.|\n)*set tokenizer"):
        engine(server.url).prompt_tokens(request())


# What it survives ---------------------------------------------------------------------------------


PASSING = (
    "drop",
    "500",
    "502",
    "404",
    "rubbish",
    "html",
    "no-usage",
    "no-choices",
    "two-choices",
    "too-long",
)


@pytest.mark.parametrize("fault", [*PASSING, "finish:abort"])
def test_a_passing_fault_costs_no_rollout(fault: str) -> None:
    with serving() as healthy:
        expected = texts(run(engine(healthy.url), asks(12)))
    with serving(faults=[fault] * 3) as server:
        found = run(engine(server.url, concurrency=4), asks(12))
    assert [r.finish for r in found if r.finish == "abort"] == []
    assert texts(found) == expected


@pytest.mark.parametrize("fault", ["500", "rubbish", "no-usage", "drop"])
def test_a_lasting_fault_of_one_server_goes_elsewhere(fault: str) -> None:
    with serving(always=fault) as bad, serving() as good:
        found = run(engine(bad.url, good.url, concurrency=4), asks(24))
    assert len(found) == 24
    assert all(r.finish != "abort" for r in found)
    # It rests after a few faults in a row instead of drawing every request.
    assert len(bad.bodies) < 24


@pytest.mark.parametrize("fault", ["500", "drop"])
def test_a_request_waits_for_a_full_server_rather_than_fail_at_a_bad_one_again(fault: str) -> None:
    with serving(always=fault) as bad, serving(seconds=0.02) as good:
        found = run(engine(bad.url, good.url, concurrency=1, attempts=2), asks(24))
    assert all(r.finish != "abort" for r in found)


def test_a_request_that_fails_everywhere_is_an_abort_with_the_reason() -> None:
    with serving(faults=["rubbish"] * 3) as server:
        (found,) = run(engine(server.url, attempts=3), asks(1))
    assert found.finish == "abort"
    assert "3 attempts failed, the last at" in found.reason
    assert "rubbish" in found.reason
    assert (found.text, found.tokens) == ("", 0)


def test_the_reason_of_an_abort_reaches_the_verdict(harness_build: Build) -> None:
    with serving(faults=["400"]) as server:
        (found,) = run(engine(server.url), asks(1))
    verdict = judge(harness_build("verifiers", "exact"), task("2"), found)
    assert (verdict.status, verdict.score) == ("infra_error", None)
    assert "400 told to say 400" in verdict.reason


@pytest.mark.parametrize("status", ["400", "413", "422"])
def test_a_refused_request_is_an_abort_at_once(status: str) -> None:
    with serving(faults=[status]) as server:
        found = run(engine(server.url), asks(4))
    aborted = [r for r in found if r.finish == "abort"]
    assert len(found) == 4
    assert len(aborted) == 1
    assert f"refused it: {status} told to say {status}" in aborted[0].reason
    assert len(server.bodies) == 4


def test_filtered_content_is_an_abort_with_the_reason() -> None:
    with serving(always="finish:content_filter") as server:
        (found,) = run(engine(server.url), asks(1))
    assert (found.finish, "filtered" in found.reason) == ("abort", True)


def test_a_busy_server_is_waited_for_and_that_is_no_attempt() -> None:
    with serving(faults=["429", "503"] * 4) as server:
        found = run(engine(server.url, attempts=1, concurrency=2, patience=30.0), asks(6))
    assert all(r.finish != "abort" for r in found)
    assert len(found) == 6


def test_the_pause_that_a_server_asks_for_is_kept() -> None:
    with serving(faults=["429"], retry_after="0.7") as server:
        started = time.monotonic()
        run(engine(server.url), asks(1))
        assert time.monotonic() - started >= 0.7


def test_a_request_that_hangs_is_repeated_after_its_deadline() -> None:
    with serving(faults=["hang", "hang"]) as server:
        found = run(engine(server.url, deadline=0.5), asks(6))
    assert all(r.finish != "abort" for r in found)
    assert len(server.bodies) == 8


def test_a_server_that_hangs_as_a_whole_is_found_out_before_the_deadline() -> None:
    with serving(seconds=0.05) as good, serving() as bad:

        def freeze(found: Sequence[Rollout]) -> None:
            bad.script.always = "deaf"

        started = time.monotonic()
        found = run(engine(bad.url, good.url, deadline=50.0, concurrency=2), asks(30), freeze)
        assert time.monotonic() - started < 20
    assert len(found) == 30
    assert all(r.finish != "abort" for r in found)


def test_a_killed_server_costs_nothing_and_comes_back() -> None:
    with serving() as healthy:
        expected = texts(run(engine(healthy.url), asks(60)))
    with ExitStack() as stack:
        first = stack.enter_context(spawn(seconds=0.05))
        second = stack.enter_context(spawn(seconds=0.05))
        back: list[Any] = []

        def events(found: Sequence[Rollout]) -> None:
            if len(found) == 10:
                os.kill(first.process.pid, signal.SIGKILL)
                first.process.wait()
            if len(found) == 25:
                back.append(stack.enter_context(spawn(seconds=0.05, port=first.port)))
            if len(found) == 40:
                second.kill()

        # The second dies, too: the last rollouts can only come from the first, started again.
        found = run(engine(first.url, second.url, concurrency=3, patience=30.0), asks(60), events)
    assert len(found) == 60
    assert texts(found) == expected
    assert [r.reason for r in found if r.finish == "abort"] == []


def test_all_servers_gone_is_an_error_after_what_was_finished() -> None:
    with spawn(seconds=0.02) as first, spawn(seconds=0.02) as second:
        subject, found = engine(first.url, second.url, concurrency=2), []

        async def collect() -> None:
            async for rollout in subject.generate(asks(200)):
                found.append(rollout)
                if len(found) == 20:
                    first.kill()
                    second.kill()

        started = time.monotonic()
        with pytest.raises(EngineError, match=r"no server was usable for 1 s: .*no connection.*; "):
            asyncio.run(asyncio.wait_for(collect(), 60))
        assert 1.0 < time.monotonic() - started < 15
    assert len(found) >= 20
    assert all(r.finish != "abort" for r in found)


def test_servers_that_are_not_there_are_an_error_in_bounded_time() -> None:
    with pytest.raises(EngineError, match="no server was usable"):
        run(engine("http://127.0.0.1:9/v1"), asks(2))


def test_a_server_that_starts_late_is_used() -> None:
    with spawn() as placeholder:
        port = placeholder.port
    with ExitStack() as stack:
        timer = threading.Timer(0.5, lambda: stack.enter_context(spawn(port=port)))
        timer.start()
        found = run(engine(f"http://127.0.0.1:{port}/v1", patience=30.0), asks(3))
        timer.join()
    assert len(found) == 3


def test_a_wrong_model_is_named_before_the_start() -> None:
    with serving(model="other") as server:
        with pytest.raises(EngineError, match=r"does not serve 'tiny'(.|\n)*allowed: other"):
            run(engine(server.url, model="tiny"), asks(2))
        assert server.bodies == []


def test_a_server_that_comes_back_with_another_model_is_left_alone() -> None:
    with spawn(seconds=0.05) as first, serving(seconds=0.05) as second, ExitStack() as stack:

        def swap(found: Sequence[Rollout]) -> None:
            if len(found) == 5:
                first.kill()
                stack.enter_context(spawn(model="other", port=first.port))

        found = run(engine(first.url, second.url, model="tiny", concurrency=2), asks(40), swap)
    assert len(found) == 40
    assert all(r.finish != "abort" for r in found)


def test_requests_go_where_the_fewest_are_under_way() -> None:
    with serving(seconds=0.02) as quick, serving(seconds=0.2) as slow:
        run(engine(quick.url, slow.url, concurrency=4), asks(60))
    assert len(quick.bodies) > 3 * len(slow.bodies) > 0
    for server in (quick, slow):
        assert server.most <= 4


def test_closing_early_ends_the_requests_under_way() -> None:
    def idle(server: Fake) -> bool:
        end = time.monotonic() + 10
        while server.now and time.monotonic() < end:
            time.sleep(0.02)
        return server.now == 0

    with serving(faults=["ok"], always="hang") as server:

        async def first() -> None:
            stream = engine(server.url).generate(asks(10))
            async for _ in stream:
                break
            await stream.aclose()  # type: ignore[attr-defined]

        asyncio.run(asyncio.wait_for(first(), 20))
        assert idle(server)


@given(st.floats(0.01, 10), st.integers(0, 100), st.integers(0, 2**63))
def test_pauses_double_up_to_a_bound_with_a_jitter_of_their_key(base: float, times: int, seed: int) -> None:
    made = pause(base, times, seed)
    assert made == pause(base, times, seed)
    full = min(base * 2.0**times, MAX_PAUSE)
    assert 0.5 * full <= made < 1.5 * full
