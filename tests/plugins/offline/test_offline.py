"""Engines `echo` and `replay`."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_offline.echo import Echo, EchoOptions
from harness_offline.replay import Replay, ReplayOptions
from harness_tasks.chain import ArithmeticChain, ChainOptions
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import DataError, EngineError, RecipeError
from harness.contract.protocols import Engine, ModelFiles, Policy
from harness.contract.records import PolicyRef, Request, Rollout, Verdict, encode
from harness.recipe.errors import validated
from harness.recording.groups import group_line
from harness.recording.ledger import SCHEMA, Ledger
from harness.testing import group_with
from tests.support.builders import context, key, request, rollout


def generated(engine: Engine, requests: Sequence[Request]) -> list[Rollout]:
    async def collect() -> list[Rollout]:
        return [rollout async for rollout in engine.generate(requests)]

    return asyncio.run(collect())


def echo(**options: Any) -> Echo:
    made = context(build=lambda kind, name, more: ArithmeticChain(ChainOptions(**more), context()))
    return Echo(validated(EchoOptions, options, where="test"), made)


def replay(path: Path, **options: Any) -> Replay:
    return Replay(validated(ReplayOptions, {"path": str(path)} | options, where="test"), context())


# echo


def test_echo_gives_the_prompt_back() -> None:
    (rollout,) = generated(echo(), [request("naïve?")])
    assert rollout.text == "naïve?"
    assert rollout.finish == "stop"
    assert bytes(rollout.completion_ids).decode() == "naïve?"
    assert rollout.key == key()
    assert len(rollout.prompt_ids) == echo().prompt_tokens(request("naïve?")) == 7


def test_echo_gives_a_fixed_text_cut_at_max_tokens() -> None:
    rollouts = generated(echo(text="12345"), [request(max_tokens=n) for n in (4, 5, 6)])
    assert [(r.text, r.finish) for r in rollouts] == [
        ("1234", "length"),
        ("12345", "stop"),
        ("12345", "stop"),
    ]
    assert [len(r.completion_ids) for r in rollouts] == [4, 5, 5]
    (split,) = generated(echo(text="aé"), [request(max_tokens=2)])
    assert (split.text, split.finish, len(split.completion_ids)) == ("a", "length", 2)


@given(st.floats(0, 1), st.integers(0, 10**6))
def test_echo_is_right_by_key_in_the_asked_for_share(share: float, step: int) -> None:
    engine = echo(answers={"t": "yes"}, right=share, wrong="no")
    requests = [request(at=key(sample=i, step=step)) for i in range(400)]
    rollouts = generated(engine, requests)
    assert {r.text for r in rollouts} <= {"yes", "no"}
    assert abs(sum(r.text == "yes" for r in rollouts) / 400 - share) < 0.15
    assert generated(engine, requests[::-1]) == rollouts[::-1]


def test_echo_asks_task_sources_for_right_answers() -> None:
    engine = echo(tasks=[{"name": "arithmetic-chain", "strata": "3"}])
    task = ArithmeticChain(ChainOptions(strata="3"), context()).draw("3", 5)
    assert generated(engine, [request(at=key(task.id))])[0].text == task.answer
    with pytest.raises(EngineError, match=r"no right answer for task 'x/1'.*is not a task of this source"):
        generated(engine, [request(at=key("x/1"))])


def test_echo_refuses_tasks_without_answer_and_two_rules() -> None:
    with pytest.raises(EngineError, match=r"'echo': no right answer for task 't'"):
        generated(echo(answers={}), [request()])
    with pytest.raises(RecipeError, match="text and answers are different rules; give one"):
        echo(text="a", answers={"t": "b"})


def test_echo_carries_the_weights_it_was_given() -> None:
    engine = echo(text="a")
    ref = PolicyRef(weights_sha="abc", stage="s", step=3)
    engine.sync_weights(Policy(ref, ModelFiles(Path(), "abc", 10, False)))
    assert generated(engine, [request()])[0].policy == ref


def test_echo_costs_next_to_nothing() -> None:
    requests = [request(at=key(sample=i)) for i in range(5000)]
    start = time.process_time()
    assert len(generated(echo(text="12"), requests)) == 5000
    assert time.process_time() - start < 1.0


# replay


def recorded() -> list[Rollout]:
    return [rollout(f"answer {i}", key=key("t", i), prompt_ids=(1, 2, 3)) for i in range(3)]


def test_replay_gives_the_rollouts_of_a_ledger_back(tmp_path: Path) -> None:
    one, two, three = recorded()
    verdict = Verdict(status="pass", score=1.0, verifier="exact", verifier_hash="h")
    group = group_with([1.0, 0.0], rollouts=(one, two))
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.append("opened", schema=SCHEMA)
        ledger.append("group", stage="s", group=group_line(group, "sample"))
        ledger.append("group", stage="s", group=group_line(group, "group"))
        ledger.append("sample", name="before", stage="s", step=0, rollout=three, verdict=verdict)
    path.write_bytes(path.read_bytes() + b'{"t":"samp')
    engine = replay(path)
    requests = [request(at=r.key) for r in (three, one, two)]
    assert generated(engine, requests) == [three, one, two]
    assert engine.prompt_tokens(requests[0]) == 3
    engine.close()
    engine.close()


def test_replay_reads_plain_rollouts_and_the_last_of_a_key_counts(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.jsonl"
    again = replace(recorded()[0], text="again")
    path.write_bytes(b"\n".join(encode(r) for r in [*recorded(), again]))
    assert generated(replay(path), [request(at=again.key)]) == [again]


def test_replay_may_match_task_and_sample_alone(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.jsonl"
    path.write_bytes(b"".join(encode(r) + b"\n" for r in recorded()))
    wanted = key("t", 1, run="other/run/7", step=9)
    with pytest.raises(EngineError, match=r'"other/run/7".* was not recorded\n.*match = "sample"'):
        generated(replay(path), [request(at=wanted)])
    (rollout,) = generated(replay(path, match="sample"), [request(at=wanted)])
    assert (rollout.text, rollout.key) == ("answer 1", wanted)
    with pytest.raises(EngineError, match="was not recorded\n  next: record it first"):
        generated(replay(path, match="sample"), [request(at=key("t", 3))])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"t":"opened"}\n', 'no rollout is recorded in it\n  next: record with detail = "sample"'),
        (b"", "no rollout is recorded in it"),
        (b"{\n{}\n", "byte 0: is not JSON"),
        (b'{"a":1}\n', "byte 0: is neither a rollout nor a line of a ledger"),
        (b'{"key":1}\n', "byte 0: not a Rollout"),
    ],
)
def test_replay_names_what_does_not_fit(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "rollouts.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        replay(path)
    assert said in str(caught.value)


def test_replay_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"engine 'replay', path: there is no file"):
        replay(tmp_path / "none.jsonl")
