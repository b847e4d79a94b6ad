"""vLLM itself, built for the CPU: the engine `vllm` and a `vllm serve` behind the engine `openai`.

Both run SmolLM2-135M in fp32, as the engine `transformers` does for comparison, one after the other in one
process of the test run: an instance takes 3 to 4 GB. A suite asks two of these engines at once.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gguf", reason="needs the extra 'gguf'")
pytest.importorskip("aiohttp", reason="needs the extra 'openai'")

from harness_openai.engine import OpenAIEngine
from harness_openai.options import OpenAIOptions
from harness_transformers.engine import EngineOptions, TransformersEngine
from harness_vllm.engine import VllmEngine
from harness_vllm.options import VllmOptions

from harness.cli.evaluations import UNANSWERED
from harness.contract.protocols import Engine, ModelFiles, Policy
from harness.contract.records import Message, PolicyRef, Request, Rollout, RolloutKey, Sampling
from harness.support.folders import cache_folder
from harness.testing import EngineConformance
from tests.support.builders import context
from tests.support.engines import gathered
from tests.support.evaluations import LEDGER, lines, math500_rows, write_rows
from tests.support.heavy import SMALL, VllmServe, smollm2, vllm_python, vllm_serve
from tests.support.runs import harness

pytestmark = pytest.mark.heavy

PROMPTS = (
    "What is 17 + 25?",
    "What is 6 times 7?",
    "Name the capital of France.",
    "Count from one to five.",
    "What colour is the sky on a clear day?",
    "Is 7 a prime number?",
    "Write the word 'cat' backwards.",
    "What is the opposite of hot?",
    "How many days are in a week?",
    "What is 100 divided by 4?",
    "Name a fruit that is yellow.",
    "What is the square of 9?",
)
GREEDY = Sampling(temperature=0.0, max_tokens=24)
#: Of the twelve prompts, how many greedy completions must be the same token by token. Different kernels
#: round differently, so one near-tie may go the other way.
AGREE = 10


@pytest.fixture(scope="module")
def python() -> str:
    return vllm_python()


@pytest.fixture(scope="module")
def weights() -> Policy:
    files = smollm2()
    # What is asked here fits in 1,024 tokens; the model's 8,192 would only take memory.
    small = ModelFiles(files.path, files.weights_sha, 1024, files.chat)
    return Policy(PolicyRef(weights_sha=files.weights_sha), small)


@pytest.fixture(scope="module")
def reference(weights: Policy) -> dict[str, Rollout]:
    """Greedy completions of the engine `transformers`."""
    engine = TransformersEngine(EngineOptions(device="cpu"), context())
    engine.sync_weights(weights)
    greedy = {r.key.task: r for r in run(engine, asks(GREEDY, samples=1))}
    engine.close()
    return greedy


def asks(sampling: Sampling, *, samples: int) -> list[Request]:
    return [
        Request(RolloutKey("run", "eval", "", 0, f"task-{i}", s), (Message("user", prompt),), sampling)
        for i, prompt in enumerate(PROMPTS)
        for s in range(samples)
    ]


def run(engine: Engine, requests: Sequence[Request], during: Any = None) -> list[Rollout]:
    """All rollouts; `during(number so far)` is called after each."""
    return gathered(engine, requests, during and (lambda some: during(len(some))), seconds=300)


def check_agreement(engine: Engine, reference: dict[str, Rollout]) -> None:
    answered = {r.key.task: r for r in run(engine, asks(GREEDY, samples=1))}
    assert {task: r.prompt_ids for task, r in answered.items()} == {
        task: r.prompt_ids for task, r in reference.items()
    }
    same = [task for task, r in reference.items() if answered[task].completion_ids == r.completion_ids]
    print(f"greedy completions equal to those of transformers: {len(same)} of {len(reference)}")
    assert len(same) >= AGREE
    for task in same:
        theirs, ours = answered[task], reference[task]
        assert (theirs.text, theirs.finish) == (ours.text, ours.finish)
        assert theirs.logprobs is not None
        assert ours.logprobs is not None
        assert theirs.logprobs == pytest.approx(ours.logprobs, abs=2e-2)


@pytest.fixture(scope="class")
def running(python: str, weights: Policy) -> Iterator[VllmEngine]:
    engine = VllmEngine(VllmOptions(python=python, eager=True, environment=SMALL), context())
    engine.sync_weights(weights)
    yield engine
    engine.close()


class TestEngineVllm(EngineConformance):
    name = "vllm"
    sampling_goes_on = False
    prompts = PROMPTS[:3]

    @pytest.fixture
    def policy(self, weights: Policy) -> Policy:
        return weights

    @pytest.fixture
    def engine(self, running: VllmEngine) -> VllmEngine:
        return running

    def test_greedy_completions_agree_with_transformers(
        self, running: VllmEngine, reference: dict[str, Rollout]
    ) -> None:
        check_agreement(running, reference)

    def test_a_killed_replica_costs_nothing(self, running: VllmEngine) -> None:
        requests = asks(Sampling(max_tokens=24), samples=2)
        expected = {r.key: r.completion_ids for r in run(running, requests)}
        first = running.replicas[0].process.pid
        running.options = running.options.model_copy(update={"concurrency": 8})
        rollouts = run(running, requests, lambda n: os.kill(first, 9) if n == 5 else None)
        assert running.replicas[0].process.pid != first
        assert {r.key for r in rollouts} == set(expected)
        assert [r.reason for r in rollouts if r.finish == "abort"] == []


@pytest.fixture(scope="module")
def server(python: str, weights: Policy) -> Iterator[VllmServe]:
    with vllm_serve(python, weights.files) as server:
        yield server


class TestVllmServe(EngineConformance):
    name = "openai"
    #: Where an engine is only made, and asked for nothing.
    options = {"servers": ["http://localhost:9/v1"]}
    prompts = PROMPTS[:3]

    @pytest.fixture
    def policy(self, weights: Policy) -> Policy:
        return weights

    @pytest.fixture
    def engine(self, server: VllmServe, policy: Policy) -> Iterator[OpenAIEngine]:
        options = OpenAIOptions(servers=(server.url,), model=server.name, patience=240.0, concurrency=8)
        engine = OpenAIEngine(options, context())
        engine.sync_weights(policy)
        yield engine
        engine.close()

    def test_greedy_completions_agree_with_transformers(
        self, engine: OpenAIEngine, reference: dict[str, Rollout]
    ) -> None:
        check_agreement(engine, reference)

    def test_raw_prompts_are_rendered_as_they_are_trained_on(self, server: VllmServe, policy: Policy) -> None:
        ours = TransformersEngine(EngineOptions(device="cpu", prompt="raw"), context())
        ours.sync_weights(policy)
        theirs = OpenAIEngine(OpenAIOptions(servers=(server.url,), prompt="raw"), context())
        request = asks(Sampling(temperature=0.0, max_tokens=4), samples=1)[0]
        (one,), (two,) = run(ours, [request]), run(theirs, [request])
        assert one.prompt_ids == two.prompt_ids
        assert one.completion_ids == two.completion_ids
        assert theirs.prompt_tokens(request) == len(one.prompt_ids)

    def test_a_request_beyond_the_context_is_an_abort_or_ends_within_it(self, engine: OpenAIEngine) -> None:
        """vLLM refused it up to 0.28, with the reason; 0.32 shortens it to what the context has left."""
        (rollout,) = run(engine, asks(Sampling(max_tokens=1020), samples=1)[:1])
        if rollout.finish == "abort":
            assert "1024" in rollout.reason
        else:
            assert len(rollout.prompt_ids) + len(rollout.completion_ids) <= 1024

    def test_a_killed_server_costs_nothing_once_it_is_back(
        self, server: VllmServe, engine: OpenAIEngine
    ) -> None:
        restarts: list[threading.Thread] = []

        def restart() -> None:
            server.kill()
            server.start()

        def strike(finished: int) -> None:
            if finished == 5:
                restarts.append(threading.Thread(target=restart))
                restarts[0].start()

        requests = asks(Sampling(max_tokens=24), samples=2)
        rollouts = run(engine, requests, strike)
        restarts[0].join()
        assert {r.key for r in rollouts} == {r.key for r in requests}
        assert [r.reason for r in rollouts if r.finish == "abort"] == []


# One model behind two engines, in a suite ----------------------------------------------------------------

SUITE = """
name = "two-engines"
benchmarks = ["math500", "gsm8k"]
profiles = [{{ name = "greedy-smoke", overrides = ["sampling.max_tokens=24"] }}]
limit = 4

[engines.local]
name = "transformers"

[engines.server]
name = "openai"
options = {{ servers = "{url}" }}
concurrency = 2

[[models]]
model = "smollm2-135m-instruct"
loader = "gguf"
engine = "local"

[[models]]
model = "{served}"
name = "served"
engine = "server"
"""
BENCHMARKS = ("math500", "gsm8k")
#: Of the eight answers, how many must be the same text from both engines.
SAME = 6


def gsm8k_rows() -> list[dict[str, Any]]:
    """1,319 rows in GSM8K's form."""
    return [
        {"question": f"Tom has {i} apples. He buys 2 more. How many apples has he now?",
         "answer": f"He has {i} + 2 = {i + 2} apples.\n#### {i + 2}"}
        for i in range(1319)
    ]  # fmt: skip


def test_a_suite_asks_one_model_behind_two_engines_and_finds_the_same(
    server: VllmServe, tmp_path: Path
) -> None:
    pytest.importorskip("math_verify", reason="needs the extra 'math'")
    write_rows(tmp_path / "data", math500_rows())
    write_rows(tmp_path / "data", gsm8k_rows(), "gsm8k_test")
    (tmp_path / "suite.toml").write_text(SUITE.format(url=server.url, served=server.name))

    def run_suite() -> str:
        done = harness(
            "eval", "--suite", "suite.toml", cwd=tmp_path, seconds=1800,
            HARNESS_CACHE=str(cache_folder()), HARNESS_DATA=str(tmp_path / "data"),
        )  # fmt: skip
        # So small a model may box nothing at all: that is said, and it is no failure.
        assert done.returncode in (0, UNANSWERED), done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "16 of 16 samples" in run_suite()
    root = tmp_path / "runs" / "two-engines"
    summary = json.loads((root / "summary.json").read_text())
    assert {e["state"] for e in summary["evaluations"].values()} == {"done"}
    assert {g["benchmark"]: set(g["scores"]) for g in summary["groups"]} == {
        name: {"smollm2-135m-instruct", "served"} for name in BENCHMARKS
    }
    folders = {
        (model, name): root / f"{model}-greedy-smoke-{name}"
        for model in ("smollm2-135m-instruct", "served")
        for name in BENCHMARKS
    }
    texts = {
        key: {s["rollout"]["key"]["task"]: s["rollout"]["text"] for s in lines(folder, "sample")}
        for key, folder in folders.items()
    }
    asked = [(name, task) for name in BENCHMARKS for task in texts["served", name]]
    assert len(asked) == 8
    same = [
        (name, task)
        for name, task in asked
        if texts["served", name][task] == texts["smollm2-135m-instruct", name][task]
    ]
    print(f"answers equal to those of transformers: {len(same)} of {len(asked)}")
    assert len(same) >= SAME
    assert all(texts["served", name][task] for name, task in same)
    before = {key: (folder / LEDGER).read_bytes() for key, folder in folders.items()}
    run_suite()
    assert before == {key: (folder / LEDGER).read_bytes() for key, folder in folders.items()}
