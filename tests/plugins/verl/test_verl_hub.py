"""The socket between the driver of the trainer `verl` and its job: both ends for real, in one process."""

from __future__ import annotations

import asyncio
import math
import re
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from harness_verl import reach
from harness_verl.hub import Arrival, Hub
from harness_verl_worker.driver import ADDRESS, LISTENER, TOKEN, Driver, DriverGone, Judge, scored

from harness.contract.errors import RecipeError
from tests.support.waiting import until


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub(None, "tcp:127.0.0.1:0")  # type: ignore[arg-type]
    monkeypatch.setenv(ADDRESS, hub.address)
    monkeypatch.setenv(TOKEN, hub.token)
    yield hub
    hub.close()


def judge(
    hub: Hub, groups: Mapping[str, int], *, deadline: float = 20.0, logprobs: tuple[Any, ...] = (-1.0,)
) -> list[Mapping[str, Any]]:
    """Outcomes of all samples of some groups, asked for at once."""

    async def all_of_them() -> list[Mapping[str, Any]]:
        client = Judge(deadline)
        asks = [
            client.outcome(uid, i, {"ids": [i], "logprobs": logprobs, "fault": ""})
            for uid, size in groups.items()
            for i in range(size)
        ]
        return list(await asyncio.gather(*asks))

    return asyncio.run(all_of_them())


def settle_as_they_come(hub: Hub, groups: Mapping[str, int]) -> threading.Thread:
    """A driver's thread: a group's samples are worth their number once all of them are here."""

    def work() -> None:
        arrived: dict[str, list[Arrival]] = {uid: [] for uid in groups}
        for _ in range(sum(groups.values())):
            one = hub.completions.get(timeout=20)
            arrived[one.uid].append(one)
            if len(arrived[one.uid]) == groups[one.uid]:
                worth = [{"reward": float(i), "status": "pass", "score": 1.0} for i in range(groups[one.uid])]
                hub.settle(one.uid, worth)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_each_sample_gets_its_own_outcome_when_its_group_is_complete(hub: Hub) -> None:
    groups = {f"g{i}": 8 for i in range(40)}
    thread = settle_as_they_come(hub, groups)
    outcomes = judge(hub, groups)
    thread.join()
    assert [(o["uid"], o["sample"], o["reward"]) for o in outcomes] == [
        (uid, i, float(i)) for uid, size in groups.items() for i in range(size)
    ]


def test_a_sample_is_given_up_only_when_the_driver_has_it(hub: Hub) -> None:
    """Else verl is done with its group first, and the driver calls samples lost that are on their way."""
    outcomes = judge(hub, {"g": 3}, deadline=0)
    assert {outcome["status"] for outcome in outcomes} == {"infra_error"}
    assert sorted(hub.completions.get_nowait().sample for _ in outcomes) == [0, 1, 2]


def test_a_sample_without_a_verdict_in_time_is_unjudged_not_zero(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    start = time.monotonic()
    (outcome, _) = judge(hub, {"g": 2}, deadline=0.5)
    assert time.monotonic() - start < 10
    assert capsys.readouterr().out == "harness: a reward worker has no verdict: no verdict within 0.5 s\n"
    assert (outcome["reward"], outcome["status"]) == (None, "infra_error")
    assert "no verdict within 0.5 s" in outcome["reason"]


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("never there", "no driver at tcp:127.0.0.1:9: "),
        ("gone meanwhile", "the driver is gone|the driver does not answer"),
        ("wrong token", "wrong token"),
        ("no address", "KeyError: 'HARNESS_VERL_ADDRESS'"),
        ("no port", "ValueError: "),
        ("refused", "Expected `float`, got `str`"),
        ("not finite", "ValueError: Out of range float values are not JSON compliant"),
        ("no JSON", "JSONDecodeError: "),
    ],
)
def test_whatever_becomes_of_the_driver_a_reward_worker_says_why_and_waits_no_more(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], when: str, words: str
) -> None:
    logprobs: tuple[Any, ...] = (-1.0,)
    if when == "no address":
        monkeypatch.delenv(ADDRESS)
    elif when == "no port":
        monkeypatch.setenv(ADDRESS, "tcp:127.0.0.1:http")
    elif when == "refused":
        logprobs = ("much",)
    elif when == "not finite":
        logprobs = (math.nan,)
    elif when == "no JSON":
        monkeypatch.setattr(hub, "answer", lambda _: b"<html>")
    elif when == "never there":
        monkeypatch.setenv(ADDRESS, "tcp:127.0.0.1:9")
    elif when == "wrong token":
        monkeypatch.setenv(TOKEN, "0" * 32)
    elif when == "gone meanwhile":
        # A server's threads end with its process; here with the connection.
        def vanish(*_: Any) -> None:
            raise ConnectionResetError

        monkeypatch.setattr(hub, "answer", vanish)
    outcomes = judge(hub, {"g": 3}, deadline=20, logprobs=logprobs)
    (reason,) = {outcome["reason"] for outcome in outcomes}
    assert re.search(words, reason)
    assert {(outcome["reward"], outcome["status"]) for outcome in outcomes} == {(None, "infra_error")}
    # Once, where the driver looks for a job's last words; and with each sample.
    assert capsys.readouterr().out == f"harness: a reward worker has no verdict: {reason}\n"
    assert scored(outcomes[0]) == {
        "reward_score": 0.0,
        "reward_extra_info": {"status": "infra_error", "score": 0.0, "masked": 1.0, "reason": reason},
    }


def test_a_verdict_is_reported_under_the_same_names(hub: Hub) -> None:
    thread = settle_as_they_come(hub, {"g": 2})
    _, outcome = judge(hub, {"g": 2})
    thread.join()
    assert scored(outcome) == {
        "reward_score": 1.0,
        "reward_extra_info": {"status": "pass", "score": 1.0, "masked": 0.0, "reason": ""},
    }


def test_commands_go_out_and_results_come_back_in_order(hub: Hub) -> None:
    driver = Driver(timeout=10)
    hub.command("generate", rows=[1])
    assert driver.call("next", {"step": 0}) == {"do": "generate", "with": {"rows": [1]}}
    assert hub.results.get(timeout=5) == {"step": 0}
    hub.command("save", folder="/f")
    assert driver.call("next", {"g": 2}) == {"do": "save", "with": {"folder": "/f"}}
    assert hub.results.get(timeout=5) == {"g": 2}
    driver.call("phase", "weights")
    assert hub.phase == "weights"


def test_a_hub_that_closes_tells_the_job_to_stop(hub: Hub) -> None:
    driver, said = Driver(timeout=20), []
    thread = threading.Thread(target=lambda: said.append(driver.call("next", None)["do"]))
    thread.start()
    hub.results.get(timeout=5)
    hub.close()
    thread.join(20)
    assert said == ["stop"]


def test_nobody_listens_to_a_hub_that_is_closed(hub: Hub) -> None:
    """A reward worker may outlive its stage; it would ask again and again, and keep both processes busy."""

    def listening() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == LISTENER]

    thread = settle_as_they_come(hub, {"g": 1})
    judge(hub, {"g": 1})
    thread.join()
    assert listening()
    hub.close()
    until(lambda: not listening())


def test_a_driver_says_where_it_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = ("127.0.0.1", "127.0.0.1")
    assert reach.interface(None, None, 1, "here") == alone == reach.interface(None, "local", 1, "here")
    assert reach.interface("10.0.0.1", "10.0.0.2:6379", 4, "here") == ("10.0.0.1", "10.0.0.1")
    monkeypatch.setattr(reach, "_towards", lambda host: "10.0.0.7" if host == "head" else "127.0.0.1")
    for nodes in (1, 2):
        assert reach.interface(None, "head:6379", nodes, "here") == ("0.0.0.0", "10.0.0.7")
        for nowhere in ("auto", "127.0.0.1:6379"):
            with pytest.raises(RecipeError, match="other nodes cannot reach the driver") as raised:
                reach.interface(None, nowhere, nodes, "here")
            assert "listen" in str(raised.value)
    # A cluster that runs already has more nodes than those that train.
    monkeypatch.setattr(reach, "_towards", lambda host: "10.0.0.7")
    assert reach.interface(None, "auto", 1, "here") == ("0.0.0.0", "10.0.0.7")


def test_a_way_is_asked_of_the_routing_table() -> None:
    assert reach._towards("127.0.0.1") == "127.0.0.1"
    assert reach._towards("no.such.host.invalid") == "127.0.0.1"


def test_a_hub_that_is_bound_to_all_is_reached_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with Hub(None, "tcp:0.0.0.0:0", reached="127.0.0.1") as hub:  # type: ignore[arg-type]
        assert hub.address.startswith("tcp:127.0.0.1:")
        monkeypatch.setenv(ADDRESS, hub.address)
        monkeypatch.setenv(TOKEN, hub.token)
        Driver(timeout=10).call("phase", "here")
        assert hub.phase == "here"


def test_calls_that_do_not_fit_are_refused_by_name(hub: Hub) -> None:
    driver = Driver(timeout=10)
    with pytest.raises(DriverGone, match="no such call: 'exit'"):
        driver.call("exit")
    for call in ("next_tasks", "submit", "finish_step", "begin_save"):
        with pytest.raises(DriverGone, match=f"no such call: '{call}', only next, phase, offer, outcomes"):
            driver.call(call)
    with pytest.raises(DriverGone, match="argument"):
        driver.call("phase")
    with pytest.raises(DriverGone, match="uid"):
        driver.call("offer", "worker", [{"sample": 1}])
