"""How long the engine `openai` waits for a server that is busy."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'openai'")

from harness_openai.calls import asked_pause
from harness_openai.fleet import MAX_PAUSE, pause
from hypothesis import given
from hypothesis import strategies as st

from tests.support.engines import gathered
from tests.support.openai_engine import asks, engine
from tests.support.openai_server import serving


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "-1"}, 0.0),
        ({"Retry-After": "100000"}, 600.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:04 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 4.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:04 +0000", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 4.0),
        ({"Retry-After": "Wed, 21 Oct 2026 09:28:04 +0200", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 4.0),
        ({"Retry-After": "Wednesday, 21-Oct-26 07:28:04 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 4.0),
        ({"Retry-After": "Wed, 21 Oct 2020 07:28:04 GMT"}, 0.0),
        ({"Retry-After": "Sat, 21 Oct 2090 07:28:04 GMT"}, 600.0),
        ({"retry-after-ms": "250", "Retry-After": "9"}, 0.25),
        ({"retry-after-ms": "soon", "Retry-After": "9"}, 9.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": ""}, None),
        ({}, None),
    ],
)
def test_a_pause_is_asked_for_in_seconds_or_until_a_date(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_pause(headers) == seconds


def test_a_pause_until_a_date_is_kept() -> None:
    # Dates have whole seconds: two of them from now are more than one away.
    date = formatdate(time.time() + 2, usegmt=True)
    with serving(faults=["429"], retry_after=date) as server:
        started = time.monotonic()
        gathered(engine(server.url, patience=30.0), asks(1))
        assert time.monotonic() - started >= 1.0


def test_a_busy_server_is_waited_for_and_that_is_no_attempt() -> None:
    with serving(faults=["429", "503"] * 4) as server:
        rollouts = gathered(engine(server.url, attempts=1, concurrency=2, patience=30.0), asks(6))
    assert all(r.finish != "abort" for r in rollouts)
    assert len(rollouts) == 6


def test_the_pause_that_a_server_asks_for_is_kept() -> None:
    with serving(faults=["429"], retry_after="0.7") as server:
        started = time.monotonic()
        gathered(engine(server.url), asks(1))
        assert time.monotonic() - started >= 0.7


@given(st.floats(0.01, 10), st.integers(0, 100), st.integers(0, 2**63))
def test_pauses_double_up_to_a_bound_with_a_jitter_of_their_key(base: float, times: int, seed: int) -> None:
    made = pause(base, times, seed)
    assert made == pause(base, times, seed)
    full = min(base * 2.0**times, MAX_PAUSE)
    assert 0.5 * full <= made < 1.5 * full
