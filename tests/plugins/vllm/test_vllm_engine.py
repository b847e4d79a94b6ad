"""The engine `vllm`: its processes, real ones and really killed, around a stand-in for vLLM itself.

`tests/plugins/vllm/test_vllm_real.py` runs vLLM.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_torch.random_llama import RandomLlama, RandomLlamaOptions
from harness_transformers.prompts import Renderer
from harness_vllm.engine import SCRIPT, VllmEngine
from harness_vllm.options import VllmOptions

from harness.contract.errors import EngineError
from harness.contract.protocols import ModelFiles, Policy
from harness.contract.records import Message, PolicyRef, Request, Rollout, Sampling
from harness.recipe.errors import validated
from harness.testing import EngineConformance
from harness.testing.plugin import Build
from tests.support.builders import context, key
from tests.support.engines import gathered
from tests.support.places import SUPPORT

STAND_IN = str(SUPPORT / "fake_vllm")
SMALL = RandomLlamaOptions(width=32, layers=1, heads=2, mlp_width=48)

Make = Callable[..., VllmEngine]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    return RandomLlama(SMALL, context(cache=tmp_path_factory.mktemp("cache"))).load()


def policy(files: ModelFiles, sha: str = "") -> Policy:
    return Policy(PolicyRef(weights_sha=sha or files.weights_sha), files)


def environment(**more: str) -> dict[str, str]:
    return {"PYTHONPATH": STAND_IN} | more


@pytest.fixture
def make(files: ModelFiles) -> Iterator[Make]:
    made: list[VllmEngine] = []

    def build(*, start: bool = True, **options: Any) -> VllmEngine:
        values = {"prompt": "raw", "environment": environment()} | options
        made.append(VllmEngine(validated(VllmOptions, values, where="test"), context()))
        if start:
            made[-1].sync_weights(policy(files))
        return made[-1]

    yield build
    for engine in made:
        engine.close()


def asks(count: int, *, prompt: str = "1+2=", max_tokens: int = 12) -> list[Request]:
    how = Sampling(max_tokens=max_tokens)
    return [Request(key(sample=i), (Message("user", prompt),), how) for i in range(count)]


def run(engine: VllmEngine, requests: Sequence[Request], during: Any = None) -> list[Rollout]:
    """All rollouts; `during(number so far)` is called after each."""
    return gathered(engine, requests, during and (lambda some: during(len(some))))


def ids(rollouts: Sequence[Rollout]) -> dict[int, tuple[int, ...]]:
    return {r.key.sample: r.completion_ids for r in rollouts}


class TestConforms(EngineConformance):
    name = "vllm"
    options = {"prompt": "raw", "replicas": 2, "environment": environment()}
    prompts = ["1+2=", "3-1="]

    @pytest.fixture
    def policy(self, files: ModelFiles) -> Policy:
        return policy(files)

    @pytest.fixture
    def engine(self, harness_build: Build, policy: Policy | None) -> Iterator[VllmEngine]:
        engine: VllmEngine = harness_build("engines", self.name, **self.options)
        assert policy is not None
        engine.sync_weights(policy)
        yield engine
        engine.close()


def test_requests_are_spread_over_the_replicas(make: Make) -> None:
    engine = make(replicas=2, concurrency=2)
    assert len(run(engine, asks(20))) == 20
    assert len({replica.process.pid for replica in engine.replicas}) == 2


def test_the_next_requests_lie_there_when_others_end(make: Make, tmp_path: Path) -> None:
    """vLLM runs as many as its own class `LLM` does, and has as many again to go on with."""
    log = tmp_path / "requests"
    engine = make(environment=environment(FAKE_SECONDS="0.05", FAKE_LOG=str(log)))
    run(engine, asks(200))
    assert engine.replicas[0].seqs == 16
    assert max(map(int, log.read_text().split())) == 32


def test_requests_are_made_when_there_is_room_for_them(make: Make) -> None:
    """A million of them are never held at once."""
    made: list[int] = []

    class Counted(Sequence[Request]):
        def __len__(self) -> int:
            return 60

        def __getitem__(self, at: Any) -> Any:
            return asks(60)[at]

        def __iter__(self) -> Iterator[Request]:
            for request in asks(60):
                made.append(request.key.sample)
                yield request

    engine = make(concurrency=4)
    ahead = []

    def look(finished: int) -> None:
        # The first time through, all prompts were measured.
        ahead.append(len(made) - 60 - finished)

    assert len(run(engine, Counted(), look)) == 60
    # Four under way, the next one, and answers that lie in the pipe.
    assert max(ahead) <= 2 * 4 + 1


@pytest.mark.parametrize("wanted", [True, False])
def test_log_probabilities_are_there_if_they_are_wanted(make: Make, wanted: bool) -> None:
    (rollout,) = run(make(), [replace(asks(1)[0], logprobs=wanted)])
    assert rollout.completion_ids
    assert rollout.logprobs == ((-1.0,) * len(rollout.completion_ids) if wanted else None)


def test_a_killed_replica_costs_nothing(make: Make) -> None:
    expected = ids(run(make(), asks(80)))
    engine = make(replicas=2, concurrency=4, restarts=0)
    rollouts = run(engine, asks(80), lambda n: os.kill(engine.replicas[0].process.pid, 9) if n == 9 else None)
    assert ids(rollouts) == expected
    assert [replica.state for replica in engine.replicas] == ["dead", "ready"]


def test_a_lone_replica_is_started_again(make: Make) -> None:
    engine = make(concurrency=4, restarts=1)
    first = engine.replicas[0].process.pid
    rollouts = run(engine, asks(40), lambda n: os.kill(first, 9) if n == 9 else None)
    assert len(ids(rollouts)) == 40
    assert engine.replicas[0].process.pid != first
    assert len(run(engine, asks(5))) == 5


def test_one_that_died_between_two_calls_is_started_again(make: Make) -> None:
    engine = make()
    engine.replicas[0].kill()
    assert len(run(engine, asks(5))) == 5


def test_all_replicas_dead_is_an_error_after_what_was_finished(make: Make) -> None:
    engine, rollouts = make(replicas=2, concurrency=2, restarts=0), []

    async def collect() -> None:
        async for rollout in engine.generate(asks(200)):
            rollouts.append(rollout)
            if len(rollouts) == 10:
                for replica in engine.replicas:
                    os.killpg(replica.process.pid, signal.SIGKILL)

    with pytest.raises(EngineError, match=r"replica \d died 1 times(.|\n)*noise on standard output"):
        asyncio.run(asyncio.wait_for(collect(), 60))
    assert len(rollouts) >= 10


def test_a_replica_that_stalls_is_taken_for_dead(make: Make) -> None:
    engine = make(restarts=0, stall_seconds=1.0, environment=environment(FAKE_STALL="1"))
    started = time.monotonic()
    with pytest.raises(EngineError, match="died 1 times"):
        run(engine, asks(3))
    assert time.monotonic() - started < 20


def test_a_replica_that_does_not_start_shows_its_last_words(make: Make, files: ModelFiles) -> None:
    engine = make(start=False, environment=environment(FAKE_START="fails"))
    with pytest.raises(EngineError, match=r"did not start(.|\n)*out of memory, says the stand-in"):
        engine.sync_weights(policy(files))
    assert engine.replicas == []


def test_an_interpreter_without_vllm_or_none_at_all_is_named(make: Make, files: ModelFiles) -> None:
    engine = make(start=False, environment={})
    with pytest.raises(EngineError, match=r"No module named 'vllm'(.|\n)*set python"):
        engine.sync_weights(policy(files))
    with pytest.raises(EngineError, match="no interpreter at '/no/such/python'"):
        make(start=False, python="/no/such/python")


def test_a_refused_request_is_an_abort_with_the_reason(make: Make, files: ModelFiles) -> None:
    first = Renderer.open(files.path, "raw").prompt_ids(asks(1, prompt="7=")[0].prompt)[0]
    engine = make(environment=environment(FAKE_REFUSED=str(first)))
    (refused,) = run(engine, asks(1, prompt="7="))
    assert refused.finish == "abort"
    assert refused.reason == "vLLM refused it: ValueError: refused by the stand-in"
    assert run(engine, asks(1))[0].finish != "abort"


def test_other_weights_mean_other_processes(make: Make, files: ModelFiles) -> None:
    engine = make()
    first = engine.replicas[0].process
    engine.sync_weights(Policy(PolicyRef(weights_sha=files.weights_sha, step=7), files))
    assert engine.replicas[0].process is first
    assert run(engine, asks(1))[0].policy.step == 7
    engine.sync_weights(policy(files, "other"))
    assert first.poll() is not None
    assert run(engine, asks(1))[0].policy.weights_sha == "other"


def test_prompts_beyond_the_context_are_refused_before_the_start(make: Make) -> None:
    with pytest.raises(EngineError, match=r"4 tokens \+ max_tokens 125 exceed the context of 128"):
        run(make(), asks(1, max_tokens=125))


def test_closing_early_stops_what_is_under_way_and_leaves_a_usable_engine(make: Make) -> None:
    engine = make(environment=environment(FAKE_SECONDS="0.05"))

    async def first() -> None:
        stream = engine.generate(asks(20))
        async for _ in stream:
            break
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(first())
    assert len(run(engine, asks(3))) == 3


def test_closing_ends_the_processes(make: Make) -> None:
    engine = make(replicas=2)
    processes = [replica.process for replica in engine.replicas]
    started = time.monotonic()
    engine.close()
    assert [process.poll() for process in processes] == [0, 0]
    assert time.monotonic() - started < 10
    with pytest.raises(EngineError, match="sync_weights"):
        run(engine, asks(1))


def test_a_replica_ends_with_its_driver() -> None:
    code = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, {str(SCRIPT)!r}, '{{}}'], stdin=subprocess.PIPE,"
        " stdout=subprocess.PIPE, start_new_session=True)\n"
        "p.stdout.readline(); print(p.pid, flush=True); time.sleep(60)\n"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ | environment(), text=True
    )
    assert driver.stdout is not None
    replica = int(driver.stdout.readline())
    driver.kill()
    driver.wait()
    end = time.monotonic() + 10
    while Path(f"/proc/{replica}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{replica}/cmdline").exists() or not Path(f"/proc/{replica}/cmdline").read_bytes()
