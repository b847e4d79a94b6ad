"""A task of reasoning-gym is the same in every process and judged as it was asked, or its set is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.support.places import ROOT

pytest.importorskip("reasoning_gym", reason="needs the extra 'gym'")

from harness_gym import ordered
from harness_gym.generator import Generator, packed

from harness.contract.errors import DataError
from harness.contract.records import Task, decode, encode
from harness.scoring import Scorer, VerifierSpec
from tests.plugins.gym.test_gym import judged, source
from tests.support.builders import rollout

BY_HASH = sorted(ordered.BY_HASH)
#: Draws in a process of its own: prints a line of JSON.
DRAWN = """
import json, sys
from tests.plugins.gym.test_gym import source
drawn = {}
for name in sys.argv[1:]:
    made = source(name, strata={"x": {}})
    tasks = [made.draw(f"{name}/x", n) for n in range(4)]
    drawn[name] = [[t.id, t.prompt[-1].content, t.answer] for t in tasks]
print(json.dumps(drawn))
"""


def drawn(hash_seed: str, *names: str) -> Any:
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", DRAWN, *names], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path},
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def test_other_processes_draw_the_same_tasks() -> None:
    names = (*BY_HASH, "chain_sum", "time_intervals", "aiw")
    assert drawn("1", *names) == drawn("2", *names)


@pytest.mark.parametrize("dataset", BY_HASH)
def test_a_task_is_judged_as_it_was_asked(dataset: str) -> None:
    made = source(dataset, strata={"x": {}})
    task = made.draw(f"{dataset}/x", 0)
    assert "entry" in task.meta
    right = f"<answer>{task.answer}</answer>"
    assert judged(task, right).status == "pass"
    assert judged(decode(encode(task), Task), right).status == "pass"
    assert judged(task, "<answer>none</answer>").status in ("fail", "partial")


def test_workers_of_a_scorer_judge_them(build_scorer_spec: VerifierSpec) -> None:
    made = source("ransom_note", levels="0")
    tasks = [made.draw(made.subjects()[0], n) for n in range(4)]
    with Scorer({"reasoning-gym": build_scorer_spec}, workers=1) as scorer:
        verdicts = scorer.score_many([(t, rollout(f"<answer>{t.answer}</answer>")) for t in tasks])
    assert [verdict.status for verdict in verdicts] == ["pass"] * 4


@pytest.fixture
def build_scorer_spec(harness_plugins: Any, build_context: Any) -> VerifierSpec:
    registration = harness_plugins.registry.find("verifiers", "reasoning-gym")
    return VerifierSpec.of(registration, {}, context=build_context)


def test_a_data_set_that_nothing_repeats_is_refused_by_name() -> None:
    with pytest.raises(
        DataError, match="data set 'codeio': makes other tasks of equal seeds in each process"
    ):
        source("codeio")


@pytest.mark.parametrize(
    ("dataset", "repeated"), [("chain_sum", "everywhere"), ("ransom_note", "by-hash"), ("codeio", "never")]
)
def test_of_an_unknown_version_it_is_found_out(
    dataset: str, repeated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordered, "KNOWN", frozenset())
    config = packed({"difficulty": 6} if dataset == "codeio" else {})
    assert ordered.repeats.__wrapped__(dataset, config) == repeated


def test_a_maker_tells_what_a_data_set_cannot_make() -> None:
    maker = ordered.Maker()
    try:
        with pytest.raises(RuntimeError, match="no data set 'chain_sums'"):
            maker.entry("chain_sums", b"{}", 1)
        assert maker.entry("chain_sum", b"{}", 1) == Generator("chain_sum", {}).entry(1)
    finally:
        maker.close()


@pytest.mark.parametrize(
    ("dataset", "config"),
    [
        ("aiw", {"task_types": ["siblings"], "task_type_weights": [1.0]}),
        ("arc_agi", {"board_format_opts": {"alphabet": list("abcdefghij")}}),
        ("rearc", {"board_format_opts": {"col_delimiter": ","}}),
        ("time_intervals", {"min_date": "2020-01-01", "max_date": "2021-01-01", "task_types": ["date"]}),
        ("time_intervals", {"min_time": "08:00:00", "max_time": "09:00:00", "task_types": ["time"]}),
        ("word_sorting", {"transformation": "uppercase"}),
        ("word_sorting", {"transformation": "lowercase"}),
        *((name, {}) for name in ("aiw", "arc_agi", "rearc", "time_intervals", "word_sorting")),
    ],
)
def test_configurations_hold_enumerations_dates_and_objects(dataset: str, config: dict[str, Any]) -> None:
    made = source(dataset, strata={"x": config})
    task = made.draw(f"{dataset}/x", 0)
    assert task.meta["config"] == config
    assert judged(task, f"<answer>{task.answer}</answer>").status == "pass"
    if "uppercase" in config.values():
        assert task.prompt[-1].content.isascii()


@pytest.mark.parametrize("dataset", ["aiw", "arc_agi", "rearc", "time_intervals", "word_sorting"])
def test_their_curricula_have_levels(dataset: str) -> None:
    made = source(dataset)
    task = made.draw(made.subjects()[0], 0)
    assert judged(task, f"<answer>{task.answer}</answer>").status == "pass"


@pytest.mark.parametrize(
    "config", [{"transformation": "sideways"}, {"transformation": 7}, {"min_words": "many"}]
)
def test_a_value_that_does_not_fit_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="refuses its configuration"):
        source("word_sorting", strata={"x": config})
