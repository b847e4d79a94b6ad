"""Faults of single requests: what the engine `openai` repeats, and what it gives up."""

from __future__ import annotations

import asyncio
import time

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'openai'")


from harness.scoring import Scorer, VerifierSpec
from tests.support.builders import task
from tests.support.engines import gathered
from tests.support.openai_engine import asks, engine, texts
from tests.support.openai_server import Fake, serving

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
        expected = texts(gathered(engine(healthy.url), asks(12)))
    with serving(faults=[fault] * 3) as server:
        rollouts = gathered(engine(server.url, concurrency=4), asks(12))
    assert [r.finish for r in rollouts if r.finish == "abort"] == []
    assert texts(rollouts) == expected


@pytest.mark.parametrize("fault", ["500", "rubbish", "no-usage", "drop"])
def test_a_lasting_fault_of_one_server_goes_elsewhere(fault: str) -> None:
    with serving(always=fault) as bad, serving() as good:
        rollouts = gathered(engine(bad.url, good.url, concurrency=4), asks(24))
    assert len(rollouts) == 24
    assert all(r.finish != "abort" for r in rollouts)
    # It rests after a few faults in a row instead of drawing every request.
    assert len(bad.bodies) < 24


@pytest.mark.parametrize("fault", ["500", "drop"])
def test_a_request_waits_for_a_full_server_rather_than_fail_at_a_bad_one_again(fault: str) -> None:
    with serving(always=fault) as bad, serving(seconds=0.02) as good:
        rollouts = gathered(engine(bad.url, good.url, concurrency=1, attempts=2), asks(24))
    assert all(r.finish != "abort" for r in rollouts)


def test_a_request_that_fails_everywhere_is_an_abort_with_the_reason() -> None:
    with serving(faults=["rubbish"] * 3) as server:
        (rollout,) = gathered(engine(server.url, attempts=3), asks(1))
    assert rollout.finish == "abort"
    assert "3 attempts failed, the last at" in rollout.reason
    assert "rubbish" in rollout.reason
    assert (rollout.text, rollout.tokens) == ("", 0)


def test_the_reason_of_an_abort_reaches_the_verdict() -> None:
    with serving(faults=["400"]) as server:
        (rollout,) = gathered(engine(server.url), asks(1))
    spec = VerifierSpec(name="exact", target="tests.support.scoring_verifiers:Background", submits=True)
    with Scorer({"exact": spec}) as scorer:
        verdict = scorer.begin(task("2"), rollout).result()
    assert (verdict.status, verdict.score) == ("infra_error", None)
    assert "400 told to say 400" in verdict.reason


@pytest.mark.parametrize("status", ["400", "413", "422"])
def test_a_refused_request_is_an_abort_at_once(status: str) -> None:
    with serving(faults=[status]) as server:
        rollouts = gathered(engine(server.url), asks(4))
    aborted = [r for r in rollouts if r.finish == "abort"]
    assert len(rollouts) == 4
    assert len(aborted) == 1
    assert f"refused it: {status} told to say {status}" in aborted[0].reason
    assert len(server.bodies) == 4


def test_a_refusal_is_said_once_however_many_samples_meet_it(caplog: pytest.LogCaptureFixture) -> None:
    with serving(most_seed=2**31 - 1) as server:
        rollouts = gathered(engine(server.url), asks(12))
        assert all("Invalid value at 'seed'" in r.reason for r in rollouts)
        said = [record.getMessage() for record in caplog.records if "refuses" in record.getMessage()]
        assert len(said) == 1
        assert f"{server.url} refuses requests: 400 Invalid value at 'seed'" in said[0]


def test_a_request_that_hangs_is_repeated_after_its_deadline() -> None:
    with serving(faults=["hang", "hang"]) as server:
        rollouts = gathered(engine(server.url, deadline=0.5), asks(6))
    assert all(r.finish != "abort" for r in rollouts)
    assert len(server.bodies) == 8


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
