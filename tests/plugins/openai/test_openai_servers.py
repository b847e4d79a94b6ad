"""Servers that are lost, come back, or serve another model."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'openai'")

from harness_openai.calls import Caller
from harness_openai.fleet import Fleet
from harness_openai.options import OpenAIOptions

from harness.contract.errors import EngineError
from harness.contract.records import Rollout
from tests.support.engines import gathered
from tests.support.openai_engine import asks, engine, texts
from tests.support.openai_server import serving, spawn


def test_a_server_that_hangs_as_a_whole_is_found_out_before_the_deadline() -> None:
    with serving(seconds=0.05) as good, serving() as bad:

        def freeze(so_far: Sequence[Rollout]) -> None:
            bad.script.always = "deaf"

        started = time.monotonic()
        rollouts = gathered(
            engine(bad.url, good.url, deadline=50.0, concurrency=2, attempts=1), asks(30), freeze
        )
        assert time.monotonic() - started < 20
    assert len(rollouts) == 30
    assert all(r.finish != "abort" for r in rollouts)


def test_servers_get_requests_by_their_pace() -> None:
    async def go() -> list[str]:
        made = engine("http://slow/v1", "http://quick/v1", "http://hung/v1", concurrency=8)
        async with made._session() as http:
            fleet = made._fleet(http)
            slow, quick, hung = fleet.servers
            for server, seconds, tokens in ((slow, 4.0, 100), (quick, 1.1, 100), (hung, 0.1, 0)):
                server.state = "ready"
                server.took(seconds, tokens)
            return [(await fleet.acquire(set())).url for _ in range(17)]

    names = [url.removeprefix("http://").removesuffix("/v1") for url in asyncio.run(go())]
    assert names[:5] == ["quick", "quick", "quick", "slow", "quick"]
    assert names[-1] == "hung"
    assert names.count("hung") == 1


def test_a_request_that_servers_are_too_slow_for_goes_to_those_that_are_not() -> None:
    with ExitStack() as stack:
        hung = [stack.enter_context(serving(always="hang")) for _ in range(6)]
        good = stack.enter_context(serving(seconds=0.01))
        urls = [server.url for server in (*hung, good)]
        rollouts = gathered(engine(*urls, deadline=2.0, concurrency=32, attempts=3, patience=60.0), asks(28))
    assert [r.reason for r in rollouts if r.finish == "abort"] == []


def test_a_driver_that_is_held_up_blames_no_server() -> None:
    async def go() -> list[Rollout]:
        async def hold_up() -> None:
            # Once all requests are under way, every turn of the loop takes longer than a look may.
            while len(server.bodies) < 4:
                await asyncio.sleep(0.01)
            while True:
                await asyncio.sleep(0)
                time.sleep(0.25)

        made = engine(server.url, health_every=0.1, patience=30.0)
        holding = asyncio.create_task(hold_up())
        try:
            return [rollout async for rollout in made.generate(asks(4))]
        finally:
            holding.cancel()

    with serving(seconds=5.0) as server:
        rollouts = asyncio.run(go())
        assert [r.finish for r in rollouts if r.finish == "abort"] == []
        assert len(server.bodies) == 4, "what was under way was asked again"


def test_a_killed_server_costs_nothing_and_comes_back() -> None:
    with serving() as healthy:
        expected = texts(gathered(engine(healthy.url), asks(60)))
    with ExitStack() as stack:
        first = stack.enter_context(spawn(seconds=0.05))
        second = stack.enter_context(spawn(seconds=0.05))
        back: list[Any] = []

        def events(so_far: Sequence[Rollout]) -> None:
            if len(so_far) == 10:
                os.kill(first.process.pid, signal.SIGKILL)
                first.process.wait()
            if len(so_far) == 25:
                back.append(stack.enter_context(spawn(seconds=0.05, port=first.port)))
            if len(so_far) == 40:
                second.kill()

        # The second dies, too: the last rollouts can only come from the first, started again.
        rollouts = gathered(engine(first.url, second.url, concurrency=3, patience=30.0), asks(60), events)
    assert len(rollouts) == 60
    assert texts(rollouts) == expected
    assert [r.reason for r in rollouts if r.finish == "abort"] == []


def test_a_lost_server_is_said_once_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with spawn(seconds=0.05) as first, spawn(seconds=0.05) as second:

        def events(so_far: Sequence[Rollout]) -> None:
            if len(so_far) == 10:
                first.kill()

        gathered(engine(first.url, second.url, concurrency=3, patience=30.0), asks(40), events)
    lost = [record.getMessage() for record in caplog.records]
    assert len(lost) == 1
    assert lost[0].startswith(f"server {first.url} is lost: no connection")
    assert lost[0].endswith("; its requests go to 1 other")
    assert "\n" not in lost[0]


def test_the_only_server_lost_says_how_long_it_is_waited_for() -> None:
    said: list[str] = []

    class Restart(logging.Handler):
        """Starts the server again as soon as it is said to be lost."""

        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())
            if "is lost" in said[-1]:
                stack.enter_context(spawn(seconds=0.05, port=first.port))

    handler = Restart()
    logger = logging.getLogger("harness_openai.fleet")
    logger.addHandler(handler)
    try:
        with ExitStack() as stack:
            first = stack.enter_context(spawn(seconds=0.05))
            gathered(
                engine(first.url, concurrency=2, patience=30.0), asks(20),
                lambda so_far: first.kill() if len(so_far) == 5 else None,
            )  # fmt: skip
    finally:
        logger.removeHandler(handler)
    assert [line.partition(": ")[0] for line in said] == [
        f"server {first.url} is lost",
        f"server {first.url} is back",
    ]
    assert said[0].endswith("; waiting for it for at most 30 s")


def test_all_servers_gone_is_an_error_after_what_was_finished() -> None:
    with spawn(seconds=0.02) as first, spawn(seconds=0.02) as second:
        subject, rollouts = engine(first.url, second.url, concurrency=2), []

        async def collect() -> None:
            async for rollout in subject.generate(asks(200)):
                rollouts.append(rollout)
                if len(rollouts) == 20:
                    first.kill()
                    second.kill()

        started = time.monotonic()
        with pytest.raises(EngineError, match=r"no server was usable for 1 s: .*no connection.*; "):
            asyncio.run(asyncio.wait_for(collect(), 60))
        assert 1.0 < time.monotonic() - started < 15
    assert len(rollouts) >= 20
    assert all(r.finish != "abort" for r in rollouts)


def test_servers_that_are_not_there_are_an_error_in_bounded_time() -> None:
    with pytest.raises(EngineError, match="no server was usable"):
        gathered(engine("http://127.0.0.1:9/v1"), asks(2))


def test_a_server_that_starts_late_is_used() -> None:
    with spawn() as placeholder:
        port = placeholder.port
    with ExitStack() as stack:
        timer = threading.Timer(0.5, lambda: stack.enter_context(spawn(port=port)))
        timer.start()
        rollouts = gathered(engine(f"http://127.0.0.1:{port}/v1", patience=30.0), asks(3))
        timer.join()
    assert len(rollouts) == 3


def test_a_wrong_model_is_named_before_the_start() -> None:
    with serving(model="other") as server:
        with pytest.raises(EngineError, match=r"does not serve 'tiny'(.|\n)*allowed: other"):
            gathered(engine(server.url, model="tiny"), asks(2))
        assert server.bodies == []


def test_a_server_that_comes_back_with_another_model_is_left_alone() -> None:
    with spawn(seconds=0.05) as first, serving(seconds=0.05) as second, ExitStack() as stack:

        def swap(so_far: Sequence[Rollout]) -> None:
            if len(so_far) == 5:
                first.kill()
                stack.enter_context(spawn(model="other", port=first.port))

        rollouts = gathered(engine(first.url, second.url, model="tiny", concurrency=2), asks(40), swap)
    assert len(rollouts) == 40
    assert all(r.finish != "abort" for r in rollouts)


def test_requests_go_where_the_fewest_are_under_way() -> None:
    with serving(seconds=0.02) as quick, serving(seconds=1.0) as slow:
        gathered(engine(quick.url, slow.url, concurrency=4), asks(60))
    assert len(quick.bodies) > 2 * len(slow.bodies) > 0
    for server in (quick, slow):
        assert server.most <= 4


def test_a_server_that_only_fails_draws_no_more_than_others() -> None:
    """Nothing is known of a server's pace until it answers; one whose first answer was an error comes after
    those that are still at work."""
    nobody = Caller(None, None, None)  # type: ignore[arg-type]
    fleet = Fleet(nobody, OpenAIOptions(servers=["http://a/v1", "http://b/v1"]))
    failing, busy = fleet.servers
    failing.took(0.01, 0)
    busy.slots = 1
    assert fleet._least_busy([failing, busy]) is busy
    busy.slots = 20
    assert fleet._least_busy([failing, busy]) is failing
