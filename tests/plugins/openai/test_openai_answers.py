"""What the engine `openai` makes of servers' answers."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'openai'")


from harness_openai import protocol
from harness_openai.faults import Broken
from harness_openai.options import OpenAIOptions

from harness.contract.errors import EngineError
from harness.contract.protocols import ModelFiles, Policy
from harness.contract.records import PolicyRef, Rollout, decode, encode
from tests.support.builders import request
from tests.support.engines import gathered
from tests.support.openai_engine import asks, engine
from tests.support.openai_server import serving


def test_vllm_gives_ids_and_log_probabilities() -> None:
    with serving() as server:
        for mode in ("raw", "chat"):
            for rollout in gathered(engine(server.url, prompt=mode), asks(3, max_tokens=5)):
                assert bytes(rollout.completion_ids).decode() == rollout.text
                assert rollout.logprobs == tuple(-0.5 - i for i in range(len(rollout.text)))
                assert rollout.completion_tokens is None
                assert rollout.finish == ("length" if len(rollout.text) == 5 else "stop")


def test_reading_a_long_answer_is_no_work_for_the_garbage_collector() -> None:
    entries = [{"token": "x", "logprob": -0.5, "bytes": [120], "top_logprobs": []}] * 20_000
    choice = {"finish_reason": "stop", "message": {"content": "x"}, "logprobs": {"content": entries}}
    given = json.dumps({"choices": [choice | {"token_ids": [7] * len(entries)}]}).encode()
    asked, options = request(max_tokens=len(entries)), OpenAIOptions(servers=("http://127.0.0.1:1/v1",))
    collections: list[str] = []

    def note(phase: str, info: dict[str, int]) -> None:
        collections.append(phase)

    gc.callbacks.append(note)
    try:
        answer = protocol.answer(given, asked, options)
    finally:
        gc.callbacks.remove(note)
    assert len(answer.logprobs or ()) == len(entries)
    assert len(collections) <= 2  # of what others left


def test_without_ids_the_length_is_what_the_server_reports() -> None:
    with serving(vllm=False) as server:
        for rollout in gathered(engine(server.url), asks(3)):
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
        assert gathered(engine(server.url, prompt="chat"), asks(1))[0].text == text


def test_weights_name_the_rollouts_and_cannot_be_changed() -> None:
    with serving() as server:
        subject = engine(server.url)
        assert gathered(subject, asks(1))[0].policy.weights_sha == "served:tiny"
        files = ModelFiles(Path(), "abc", 10, False)
        subject.sync_weights(Policy(PolicyRef(weights_sha="abc", step=1), files))
        subject.sync_weights(Policy(PolicyRef(weights_sha="abc", step=2), files))
        assert gathered(subject, asks(1))[0].policy == PolicyRef(weights_sha="abc", step=2)
        with pytest.raises(EngineError, match="keep the weights"):
            subject.sync_weights(Policy(PolicyRef(weights_sha="def"), files))


def test_prompts_that_nothing_can_count_are_refused() -> None:
    with serving(vllm=False) as server, pytest.raises(EngineError, match=r"404(.|\n)*set tokenizer"):
        engine(server.url).prompt_tokens(request())


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("eos_token", "stop"),
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("STOP", "stop"),
        ("end-turn", "stop"),
        ("completed", "stop"),
        ("FINISH_REASON_STOP", "stop"),
        ("endTurn", "stop"),
        ("<|im_end|>", "stop"),
        ("tool_calls", "stop"),
        ("length", "length"),
        ("maxTokens", "length"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("MAX_TOKENS", "length"),
        ("max_output_tokens", "length"),
        ("content_filter", "abort"),
        ("safety", "abort"),
        ("refusal", "abort"),
    ],
)
def test_why_a_completion_ended_is_read_by_meaning(word: str, finish: str) -> None:
    with serving(always=f"finish:{word}") as server:
        (rollout,) = gathered(engine(server.url), asks(1))
        assert (rollout.finish, len(server.bodies)) == (finish, 1)


def test_a_server_s_own_word_is_an_abort_at_once_that_says_how_to_name_it() -> None:
    with serving(always="finish:fertig") as server:
        (rollout,) = gathered(engine(server.url), asks(1))
        assert (rollout.finish, len(server.bodies)) == ("abort", 1)
        assert 'finish = { fertig = "stop" }' in rollout.reason
        (rollout,) = gathered(engine(server.url, finish={"fertig": "stop", "stop": "length"}), asks(1))
        assert rollout.finish == "stop"


@pytest.mark.parametrize(
    ("content", "fault", "text"),
    [
        ([{"type": "text", "text": "4"}], "ok", "4"),
        ([{"type": "text", "text": "4"}, {"type": "text", "text": "2"}], "ok", "42"),
        (
            [{"type": "thinking", "thinking": "2+2"}, {"type": "text", "text": "4"}],
            "ok",
            "<think>2+2</think>4",
        ),
        (
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]},
                {"type": "text", "text": "4"},
            ],
            "ok",
            "<think>2+2</think>4",
        ),
        (
            [{"type": "reasoning", "text": "2+2"}, {"type": "output_text", "text": "4"}],
            "ok",
            "<think>2+2</think>4",
        ),
        (
            [{"type": "reasoning", "summary": [{"text": "2+2"}]}, {"type": "text", "text": "4"}],
            "ok",
            "<think>2+2</think>4",
        ),
        ([{"type": "thinking", "thinking": "2+"}], "finish:length", "<think>2+"),
        ([{"type": "thinking", "thinking": "2+2"}], "finish:stop", "<think>2+2</think>"),
        (
            [
                {"type": "thinking", "thinking": "2"},
                {"type": "thinking", "thinking": "+2"},
                {"type": "text", "text": "4"},
            ],
            "ok",
            "<think>2+2</think>4",
        ),
        ([{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "4"}], "ok", "4"),
        (["4"], "ok", "4"),
        ([], "ok", ""),
    ],
)
def test_content_in_parts_is_its_text_with_thinking_apart(content: Any, fault: str, text: str) -> None:
    with serving(message={"content": content}, always=fault) as server:
        (rollout,) = gathered(engine(server.url, prompt="chat"), asks(1))
        assert (rollout.text, rollout.reason) == (text, "")


def test_a_part_that_nobody_knows_is_an_abort_with_its_type() -> None:
    with serving(message={"content": [{"type": "image_url", "image_url": "x"}]}) as server:
        (rollout,) = gathered(engine(server.url, prompt="chat"), asks(1))
        assert (rollout.finish, "'image_url'" in rollout.reason, len(server.bodies)) == ("abort", True, 1)


def test_filtered_content_is_an_abort_with_the_reason() -> None:
    with serving(always="finish:content_filter") as server:
        (rollout,) = gathered(engine(server.url), asks(1))
    assert (rollout.finish, "filtered" in rollout.reason) == ("abort", True)


def test_an_answer_that_nests_deeper_than_python_goes_is_rubbish() -> None:
    deep = b'{"choices":' + b"[" * 3000
    with pytest.raises(Broken, match="rubbish"):
        protocol.answer(deep, request(), OpenAIOptions(servers=("http://127.0.0.1:1/v1",)))
    with pytest.raises(Broken, match="rubbish"):
        protocol.cards(deep)
    assert protocol.error_text(deep).startswith('{"choices"')
