"""What the engine `openai` asks of servers, and what its options refuse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'openai'")

from harness_openai.options import OpenAIOptions

from harness.contract.errors import EngineError, RecipeError
from harness.recipe.errors import validated
from tests.support.engines import gathered
from tests.support.openai_engine import asks, engine
from tests.support.openai_server import serving


def test_each_request_has_its_own_seed_and_exactly_its_sampling() -> None:
    with serving() as server:
        requests = asks(5, temperature=0.6, top_p=0.95, top_k=20, max_tokens=9, stop=("\n",))
        gathered(engine(server.url), requests)
    assert {b["seed"] for b in server.bodies} == {r.key.seed for r in requests}
    assert len({b["seed"] for b in server.bodies}) == 5
    for body in server.bodies:
        assert (body["model"], body["prompt"], body["stop"]) == ("tiny", "1+1=", ["\n"])
        assert (body["temperature"], body["top_p"], body["top_k"], body["max_tokens"]) == (0.6, 0.95, 20, 9)
        # What vLLM would otherwise take from the model's generation config.
        assert (body["min_p"], body["repetition_penalty"], body["add_special_tokens"]) == (0.0, 1.0, False)


@pytest.mark.parametrize("prompt", ["raw", "chat"])
def test_log_probabilities_are_asked_for_if_they_are_wanted(prompt: str) -> None:
    with serving() as server:
        wanted = asks(1)
        gathered(engine(server.url, prompt=prompt), [*wanted, *(replace(r, logprobs=False) for r in wanted)])
    assert sorted("logprobs" in body for body in server.bodies) == [False, True]
    assert all(body["return_token_ids"] for body in server.bodies)


def test_other_servers_are_sent_nothing_that_they_do_not_know() -> None:
    with serving(vllm=False) as server:
        gathered(engine(server.url, prompt="chat", model="tiny", extra={"user": "me"}), asks(1))
    assert set(server.bodies[0]) == {
        "model", "seed", "temperature", "top_p", "max_tokens", "messages", "user",
    }  # fmt: skip


def test_the_key_comes_from_its_variable_and_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="NO_SUCH_KEY is not set"):
        engine("http://h/v1", api_key_env="NO_SUCH_KEY")
    monkeypatch.setenv("A_KEY", "right-key")
    monkeypatch.setenv("B_KEY", "wrong-key")
    with serving(key="right-key") as server:
        assert len(gathered(engine(server.url, api_key_env="A_KEY"), asks(2))) == 2
        with pytest.raises(EngineError, match=r"refuses the key of B_KEY: 401 wrong key Bearer \*\*\*"):
            gathered(engine(server.url, api_key_env="B_KEY"), asks(2))
        with pytest.raises(EngineError, match="refuses a request without a key"):
            gathered(engine(server.url), asks(2))


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


@pytest.mark.parametrize(("bits", "most"), [(31, 2**31 - 1), (32, 2**32 - 1), (53, 2**53), (1, 1), (0, -1)])
def test_seeds_are_bounded_or_left_out(bits: int, most: int) -> None:
    with serving(most_seed=max(most, 0)) as server:
        rollouts = gathered(engine(server.url, seed_bits=bits), asks(4))
        assert [r.finish for r in rollouts if r.finish == "abort"] == []
        assert all(body.get("seed", -1) <= most for body in server.bodies)
        if bits > 31:
            assert len({body["seed"] for body in server.bodies}) == 4
