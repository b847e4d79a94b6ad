"""What verl's rollout servers reply, judged: by the shapes that verl 0.9.1 returns."""

from __future__ import annotations

import asyncio
import re
from types import SimpleNamespace
from typing import Any

import pytest
from harness_verl_worker import reply
from harness_verl_worker.reply import answers, ask, reply_of


def output(
    ids: list[int], logprobs: list[float] | None = None, stop_reason: str | None = "completed"
) -> SimpleNamespace:
    return SimpleNamespace(
        token_ids=ids, log_probs=logprobs, stop_reason=stop_reason, extra_fields={"global_steps": 3}
    )


@pytest.mark.parametrize("stop_reason", ["completed", "length", "stop", None])
def test_a_completion_is_its_tokens(stop_reason: str | None) -> None:
    reply = reply_of(output([5, 6], [-0.5, -1.0], stop_reason))
    assert reply == ([5, 6], [-0.5, -1.0], "", {"global_steps": 3})
    assert reply_of(output([5, 6], None, stop_reason)).logprobs == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (output([], None, "aborted"), "gave the request up after 0 tokens: aborted"),
        (output([5, 6], [-0.5, -1.0], "aborted"), "gave the request up after 2 tokens: aborted"),
        (output([5], [-0.5], "abort"), "gave the request up after 1 tokens: abort"),
        (output([5], [-0.5], "error"), "gave the request up after 1 tokens: error"),
        (output([], [], "completed"), "no token came back: completed"),
        (output([5, 6], [-0.5, float("nan")]), r"log-probabilities are not finite \(nan\)"),
        (output([5, 6], [float("-inf"), -0.5]), r"log-probabilities are not finite \(-inf\)"),
    ],
)
def test_what_is_no_completion_is_a_fault_without_tokens(given: Any, words: str) -> None:
    reply = reply_of(given)
    assert (reply.ids, reply.logprobs, reply.extra) == ([], [], {"global_steps": 3})
    assert re.search(words, reply.fault)


class Client:
    """Replies with the prompt's tokens; the token 0 is a server that dies."""

    async def generate(
        self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]
    ) -> SimpleNamespace:
        if 0 in prompt_ids:
            raise ConnectionError("first line\nthe server is gone")
        await asyncio.sleep(0.01 * (10 - prompt_ids[0]))
        # verl takes what it is given apart.
        assert sampling_params.pop("max_tokens") == 4
        return output(prompt_ids, [-1.0] * len(prompt_ids))


def test_a_server_that_dies_is_a_fault() -> None:
    reply = asyncio.run(ask(Client(), [0], {"max_tokens": 4}))
    assert reply == ([], [], "ConnectionError: the server is gone", {})


def test_answers_come_in_the_order_of_the_requests() -> None:
    sampling = {"max_tokens": 4}
    requests = [{"prompt_ids": [token], "sampling": sampling} for token in (1, 0, 9, 5)]
    given = asyncio.run(answers(Client(), requests, lambda _: None))
    assert [one["ids"] for one in given] == [[1], [], [9], [5]]
    assert [one["fault"] for one in given] == ["", "ConnectionError: the server is gone", "", ""]
    assert sampling == {"max_tokens": 4}


def test_how_far_it_is_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [{"prompt_ids": [token], "sampling": {"max_tokens": 4}} for token in range(1, 10)]
    for seconds, words in ((0.0, range(1, 10)), (60.0, ())):
        monkeypatch.setattr(reply, "BEAT", seconds)
        told: list[str] = []
        asyncio.run(answers(Client(), requests, told.append))
        assert told == [f"evaluation, {done} of 9 answered" for done in words]
