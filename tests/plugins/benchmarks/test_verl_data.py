"""Source `verl-data`: math and code rows as verl trains on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.verl_data import VerlData, VerlDataOptions
from harness_code.cases import Stdio, parse

from harness.contract.errors import DataError, RecipeError
from harness.recipe.errors import validated
from tests.support.builders import context
from tests.support.hub import data_set, serving


def row(ability: str = "math", truth: Any = r"\frac{1}{2}", **more: Any) -> dict[str, Any]:
    return {
        "data_source": "numina_olympiads",
        "prompt": [
            {"role": "system", "content": "Think in steps."},
            {"role": "user", "content": f"Solve it: {ability}."},
        ],
        "ability": ability,
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {"index": 0, "split": "train"},
    } | more


CODE = row("code", json.dumps({"inputs": ["1 2\n", ["3", "4"]], "outputs": ["3\n", "7"]}))
CALLED = row("code", json.dumps({"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]}))
ROWS = [row(), CODE, row("logic", "yes"), CALLED, row(truth="7")]


def source(folder: Path, rows: list[dict[str, Any]] = ROWS, **options: Any) -> VerlData:
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return VerlData(options_of({"path": str(path)} | options), context(cache=folder, base=folder))


def options_of(values: dict[str, Any]) -> VerlDataOptions:
    return validated(VerlDataOptions, values, where="test")


def test_each_ability_gets_its_verifier_and_others_are_left_out(tmp_path: Path) -> None:
    made = source(tmp_path)
    assert list(made.subjects()) == ["train/1", "train/2", "train/5"]
    math, code, _ = (made.draw(subject, 0) for subject in made.subjects())
    assert (math.verifier, math.domain, math.answer) == ("math", "math", r"\frac{1}{2}")
    assert [m.role for m in math.prompt] == ["system", "user"]
    assert math.tags == ("source=numina_olympiads",)
    assert (code.verifier, code.domain) == ("code", "code")
    tests = parse(code.answer)
    assert isinstance(tests, Stdio)
    assert [(t.input, t.output) for t in tests.tests] == [("1 2\n", "3\n"), ("3\n4", "7")]
    assert made.get("train/5") == made.draw("train/5", 3)


def test_options_pick_abilities_and_drop_system_messages(tmp_path: Path) -> None:
    made = source(tmp_path, verifiers={"math": "last-number"}, system=False, prefix="eurus")
    assert list(made.subjects()) == ["eurus/1", "eurus/5"]
    task = made.draw("eurus/1", 0)
    assert (task.verifier, [m.role for m in task.prompt]) == ("last-number", ["user"])


def test_parquet_and_the_hub_give_the_same_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("datasets")
    from pyarrow import parquet

    rows = [r for r in ROWS if r is not CALLED]
    expected = source(tmp_path, rows)
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    made = context(cache=tmp_path, base=tmp_path)
    local = VerlData(options_of({"path": "rows.parquet", "prefix": "train"}), made)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with serving({"someone/rl": data_set("train", rows, commit="c" * 40)}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        options = {"repo": "someone/rl", "revision": "c" * 40, "prefix": "train"}
        fetched = VerlData(options_of(options), made)
    for other in (local, fetched):
        assert [other.draw(s, 0) for s in other.subjects()] == [
            expected.draw(s, 0) for s in expected.subjects()
        ]
    assert local.fingerprint() != source(tmp_path, rows[:1]).fingerprint()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (row(ability=None), "2:ability: must be text"),  # type: ignore[arg-type]
        (row(truth=" "), "2:reward_model.ground_truth: is missing or empty"),
        (row(prompt=[]), "2:prompt: must be a list of messages"),
        (row(prompt=[{"role": "user"}]), "2:prompt: holds"),
        (row("code", "print(1)"), "2:reward_model.ground_truth: is not JSON"),
        (row("code", '{"inputs": ["1"], "outputs": []}'), "as many outputs as inputs"),
    ],
)
def test_a_row_that_does_not_fit_is_named(tmp_path: Path, fault: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as refused:
        source(tmp_path, [row(), fault])
    assert words in str(refused.value)


def test_a_path_and_a_repo_do_not_go_together(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="give a path or a repo"):
        source(tmp_path, repo="a/b")


@pytest.mark.parametrize(
    ("truth", "answer"),
    [
        (["42", "forty-two"], ["42", "forty-two"]),
        (["42"], "42"),
        ([42, "forty-two"], [42, "forty-two"]),
        ('["42", "forty-two"]', ["42", "forty-two"]),
        ('["10,000"]', "10,000"),
        ('["\\\\frac{1}{2}"]', r"\frac{1}{2}"),
        ('["(1, 2]"]', "(1, 2]"),
        ("[1, 2]", "[1, 2]"),
        ("[1, 2)", "[1, 2)"),
        (r"\{1, 2\}", r"\{1, 2\}"),
        ("{1, 2}", "{1, 2}"),
        ("['42']", "42"),
        ("['42', 'forty-two']", ["42", "forty-two"]),
        (r"['\\frac{1}{2}', '0.5']", [r"\frac{1}{2}", "0.5"]),
        ("['42", "['42"),
        ("[x]", "[x]"),
        (42, 42),
        (0, 0),
        (0.5, 0.5),
        (" 42 ", " 42 "),
        ("true", "true"),
    ],
)
def test_several_golds_are_alternatives(tmp_path: Path, truth: Any, answer: Any) -> None:
    assert source(tmp_path, [row(truth=truth)]).draw("train/1", 0).answer == answer


@pytest.mark.parametrize(
    "truth",
    [
        {"target": 42, "numbers": [1, 2]}, '{"target": 42}', "{'target': 42, 'numbers': [1, 2]}",
        "['42', ['43']]", [["42"]], [None], [""], ["  "], [True], True,
        False, [], "", " \n", None, ["42", {"a": 1}], '["42", null]', '["42", ["43"]]',
    ],
)  # fmt: skip
def test_a_gold_that_is_none_is_refused_by_its_field(tmp_path: Path, truth: Any) -> None:
    with pytest.raises(DataError, match=r"train\.jsonl:1:reward_model\.ground_truth: "):
        source(tmp_path, [row(truth=truth)])
