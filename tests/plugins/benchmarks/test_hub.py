"""Loading from the Hub: pinned, cached, refused with what to do; against a server of the Hub's endpoints."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.benchmark import CatalogueBenchmark
from harness_benchmarks.catalogue import ENTRIES
from harness_benchmarks.options import BenchmarkOptions, HubFields, HubOptions
from harness_benchmarks.source import HubSource

from harness.contract.errors import DataError
from harness.contract.protocols import BuildContext
from tests.support import builders
from tests.support.hub import Hub, data_set, serving

pytest.importorskip("datasets")

GSM = [{"question": f"How many is {i}?", "answer": f"It is {i}.\n#### {i:,}"} for i in range(3)]
GSM_COMMIT = ENTRIES["gsm8k"].revision or ""
SMALL = replace(ENTRIES["gsm8k"], problems=(3,))


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildContext:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_TOKEN", raising=False)

    return builders.context(cache=tmp_path / "cache")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Any:
    repositories = {
        "openai/gsm8k": data_set("test", GSM, config="main", commit=GSM_COMMIT),
        "someone/sums": data_set(
            "train", [{"q": "1 + 1?", "a": 2, "n": "x1", "kind": "sum"}], commit="c" * 40
        ),
        "Idavidrein/gpqa": replace(data_set("train", [], config="gpqa_diamond"), gated=True),
    }
    with serving(repositories) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


def test_a_benchmark_comes_at_its_pinned_revision_and_is_cached(hub: Hub, context: BuildContext) -> None:
    made = CatalogueBenchmark(SMALL, BenchmarkOptions(), context)
    assert [task.answer for task in made.tasks()] == ["0", "1", "2"]
    assert made.origin["revision"] == GSM_COMMIT
    assert made.origin["repo"] == "openai/gsm8k"
    assert any(GSM_COMMIT in request for request in hub.requests)
    asked = len(hub.requests)
    again = CatalogueBenchmark(SMALL, BenchmarkOptions(), context)
    assert again.origin == made.origin
    assert len(hub.requests) == asked, "the second load needs no network"


def test_an_unpinned_data_set_is_resolved_recorded_and_said(
    hub: Hub, context: BuildContext, caplog: pytest.LogCaptureFixture
) -> None:
    fields = HubFields(problem="q", answer="a", id="n", tags=("kind",))
    options = HubOptions(repo="someone/sums", split="train", fields=fields, template="Say: {problem}")
    with caplog.at_level(logging.WARNING):
        source = HubSource(options, context)
    assert "c" * 40 in caplog.text
    task = source.draw("sums/x1", 7)
    assert (task.prompt[0].content, task.answer, task.tags) == ("Say: 1 + 1?", 2, ("kind=sum",))
    assert source.origin["revision"] == "c" * 40
    caplog.clear()
    asked = len(hub.requests)
    assert HubSource(options, context).origin == source.origin
    assert (caplog.text, len(hub.requests)) == ("", asked)


def test_a_field_that_is_not_there_is_named_with_its_line(hub: Hub, context: BuildContext) -> None:
    with pytest.raises(DataError, match=r":1:answer: is missing; the row has a, kind, n, q"):
        HubSource(HubOptions(repo="someone/sums", split="train", fields=HubFields(problem="q")), context)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: CatalogueBenchmark(ENTRIES["gpqa-diamond"], BenchmarkOptions(), c), "gated.*HF_TOKEN"),
        (lambda c: CatalogueBenchmark(SMALL, BenchmarkOptions(revision="d" * 40), c), "does not give it"),
        (lambda c: CatalogueBenchmark(ENTRIES["gsm8k"], BenchmarkOptions(), c), "has 3 problems.*1319"),
        (
            lambda c: CatalogueBenchmark(ENTRIES["aime24"], BenchmarkOptions(), c),
            "does not give it.*HF_TOKEN",
        ),
        (lambda c: CatalogueBenchmark(SMALL, BenchmarkOptions(source="local"), c), "HARNESS_DATA"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_next_step(
    hub: Hub, context: BuildContext, make: Callable[[BuildContext], Any], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        make(context)
    assert re.search(message, str(caught.value), re.DOTALL), str(caught.value)


def test_without_a_network_the_endpoint_and_the_folder_are_named(
    context: BuildContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9 does not give it") as caught:
        CatalogueBenchmark(SMALL, BenchmarkOptions(), context)
    assert "HARNESS_DATA" in str(caught.value)


def test_the_folder_goes_before_the_hub(hub: Hub, context: BuildContext, tmp_path: Path) -> None:
    file = tmp_path / "data" / "benchmarks" / "gsm8k_test.jsonl"
    file.parent.mkdir(parents=True)
    rows = [{"problem": f"How many is {i}?", "answer": str(i)} for i in range(3)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    local = CatalogueBenchmark(SMALL, BenchmarkOptions(), replace(context, data=tmp_path / "data"))
    assert local.origin["source"] == "local"
    assert hub.requests == []
    remote = CatalogueBenchmark(
        SMALL, BenchmarkOptions(source="hub"), replace(context, data=tmp_path / "data")
    )
    assert remote.origin["source"] == "hub"
    assert remote.origin["sha"] == local.origin["sha"], "the same problems, wherever they are from"


VALUES = ["007", "17", 17, "1.50", "true", "null", None, "1e3", "x=1", "[1,2]", [1, 2], " 17", "2024-02-01"]


def test_json_comes_as_it_is_written(context: BuildContext, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, object]] = [
        {"id": f"{n:03}", "problem": f"{n}?", "answer": value} for n, value in enumerate(VALUES)
    ]
    kept = [row for row in rows if row["answer"] is not None]
    with serving({"someone/mixed": data_set("train", kept)}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        options = HubOptions(repo="someone/mixed", split="train", fields=HubFields(id="id"))
        source = HubSource(options, context)
    assert {task: source.get(task).answer for task in source.subjects()} == {
        f"mixed/{row['id']}": row["answer"] for row in kept
    }


def test_columns_of_an_agent_s_trace_are_columns(
    context: BuildContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows: list[dict[str, object]] = [
        {"id": "a", "source": "s", "model": "m", "system_prompt": "p", "problem": "1+1=", "answer": "2",
         "messages": [{"role": "user", "content": "1+1="}]}
    ]  # fmt: skip
    with serving({"someone/traces": data_set("train", rows)}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        source = HubSource(HubOptions(repo="someone/traces", split="train"), context)
    assert source.draw("traces/0", 0).answer == "2"


def test_a_list_of_rows_is_rows(context: BuildContext, monkeypatch: pytest.MonkeyPatch) -> None:
    made = data_set("train", [])
    made.files["data/train.jsonl"] = json.dumps([{"problem": "1+1=", "answer": "02"}], indent=1).encode()
    with serving({"someone/list": made}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        source = HubSource(HubOptions(repo="someone/list", split="train"), context)
    assert source.draw("list/0", 0).answer == "02"
    assert source.place("list/0").endswith(".jsonl:1:answer")
