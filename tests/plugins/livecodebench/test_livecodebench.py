"""LiveCodeBench as data: packed tests, releases and windows, layouts, prompts, errata."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from harness_livecodebench import benchmark, encoding, releases
from harness_livecodebench.encoding import EncodingError, unpack_tests
from harness_livecodebench.errata import errata
from harness_livecodebench.releases import Window, files_of
from harness_livecodebench.store import Store
from hypothesis import given
from hypothesis import strategies as st

from harness.benchmarking.profile import load_profile
from harness.contract.errors import DataError, RecipeError
from harness.contract.protocols import BuildContext
from harness.contract.records import Task
from harness.plugging.plugins import load
from tests.support import builders
from tests.support.data import data_folder
from tests.support.hub import Repository, jsonl, serving
from tests.support.lcb_kit import packed, row, write_mirror

WINDOW = "2024-08-01..2025-02-01"


def context(cache: Path, data: Path | None) -> BuildContext:
    return replace(builders.context(cache=cache), data=data)


def opened(name: str, made: BuildContext, **options: Any) -> Any:
    return load().registry.find("benchmarks", name).build(options, made)


# Packed tests ------------------------------------------------------------------------------------

_tests = st.lists(
    st.fixed_dictionaries({"input": st.text(), "output": st.text(), "testtype": st.just("stdin")})
)


@given(_tests, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_private_tests_are_read_from_either_form(tests: list[dict[str, str]], protocol: int) -> None:
    assert unpack_tests(packed(tests, protocol)) == tests
    assert unpack_tests(json.dumps(tests)) == tests


class Attack:
    """What a pickle may do to whoever loads it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, ("raise SystemExit('executed')",))


def _pack(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content)).decode()


@pytest.mark.parametrize(
    ("packed_tests", "why"),
    [
        (_pack(pickle.dumps(Attack())), "more than one text"),
        (_pack(pickle.dumps(["[]"])), "more than one text"),
        (_pack(pickle.dumps({"input_output": "[]"})), "more than one text"),
        (_pack(pickle.dumps(bytearray(8), 5)), "more than one text"),
        (_pack(pickle.dumps(b"[]")), "more than one text"),
        (_pack(pickle.dumps("[]")[:-1]), "not a pickle"),
        (_pack(b"."), "without text"),
        (_pack(pickle.dumps("nonsense")), "no JSON"),
        (_pack(pickle.dumps("{}")), "not to a list"),
        ("7", "not to a list"),
        ("?", "neither JSON nor base64"),
        (base64.b64encode(zlib.compress(pickle.dumps("[]"))[:-6]).decode(), "cut short"),
    ],
)
def test_anything_but_a_text_is_refused(packed_tests: str, why: str) -> None:
    with pytest.raises(EncodingError, match=why):
        unpack_tests(packed_tests)


def test_what_is_too_large_is_refused_before_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "MAX_BYTES", 1000)
    assert unpack_tests(_pack(pickle.dumps("[" + " " * 900 + "]"))) == []
    with pytest.raises(EncodingError, match="more than 1000 bytes"):
        unpack_tests(_pack(pickle.dumps("[" + " " * 10**6 + "]")))


def test_real_packed_tests_of_another_wrapping_are_refused() -> None:
    """A copy that circulates pickles a dict: near the data set's form, and not it."""
    path = data_folder() / "code" / "lcb_full_tests_sample.jsonl"
    if not path.is_file():
        pytest.skip(f"no {path}")
    for line in path.read_text(encoding="utf-8").splitlines():
        with pytest.raises(EncodingError, match="EMPTY_DICT"):
            unpack_tests(json.loads(line)["raw_test_b64zlibpickle"])


# Releases and windows ----------------------------------------------------------------------------


def test_a_release_holds_all_before_it() -> None:
    assert files_of("v1") == ["test.jsonl"]
    assert files_of("v3") == ["test.jsonl", "test2.jsonl", "test3.jsonl"]
    assert len(files_of("v6")) == 6


def test_a_window_has_both_ends_and_its_end_is_midnight() -> None:
    window = Window.parse(WINDOW)
    inside = ["2024-08-01T00:00:00", "2024-12-31T18:30:00", "2025-02-01T00:00:00"]
    outside = ["2024-07-31T23:59:59", "2025-02-01T18:30:00"]
    assert [datetime.fromisoformat(moment) in window for moment in inside] == [True] * 3
    assert [datetime.fromisoformat(moment) in window for moment in outside] == [False] * 2
    assert datetime(1999, 1, 1) in Window.parse("..2025-02-01")
    assert datetime(2099, 1, 1) in Window.parse("2024-08-01..")
    assert datetime(2099, 1, 1) in Window.parse("")


@pytest.mark.parametrize("text", ["2024-08-01", "2024-8..x", "2025-02-01..2024-08-01", "24-08-01..25-02-01"])
def test_a_window_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match=r"START\.\.END"):
        Window.parse(text)


# The real statements -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> BuildContext:
    data = data_folder()
    if not (data / benchmark.STATEMENTS).is_file():
        pytest.skip(f"no {data / benchmark.STATEMENTS}")
    return context(tmp_path_factory.mktemp("cache"), data)


def test_the_window_of_v5_that_scores_are_published_for_has_279_problems(real: BuildContext) -> None:
    """By the release that the statements name and by their dates; private tests are not at hand, so it is
    the public tests' benchmark that is counted."""
    made = opened("livecodebench-v5-public", real, part=WINDOW)
    assert (made.name, len(made.tasks())) == (f"livecodebench-v5-public@{WINDOW}", 279)
    assert made.origin["tests"] == "public"
    dates = {task.meta["date"][:10] for task in made.tasks()}
    assert "2024-08-01" <= min(dates) <= max(dates) <= "2025-02-01"


def test_the_whole_release_lacks_the_one_problem_without_tests(real: BuildContext) -> None:
    made = opened("livecodebench-v5-public", real)
    assert len(made.tasks()) == 879
    assert made.origin["without_tests"] == ["abc350_c"]
    tags = Counter(tag for task in made.tasks() for tag in task.tags)
    assert tags["platform=leetcode"] + tags["platform=atcoder"] + tags["platform=codeforces"] == 879
    assert tags["difficulty=easy"] + tags["difficulty=medium"] + tags["difficulty=hard"] == 879


def test_every_erratum_is_a_problem_of_the_release(real: BuildContext) -> None:
    made = opened("livecodebench-v5-public", real)
    known = {task.id for task in made.tasks()} | {task.meta["title"] for task in made.tasks()}
    assert set(errata()) - known == {"abc350_c"}
    tagged = {task.id for task in made.tasks() if "errata=none" not in task.tags}
    assert len(tagged) == len(errata()) - 1


def test_prompts_are_those_that_were_published_for_the_window(real: BuildContext) -> None:
    """The 279 prompts of another evaluation of the same window, byte for byte."""
    path = data_folder() / "code" / "lcb_v5_window_prompts_qwq.jsonl"
    if not path.is_file():
        pytest.skip(f"no {path}")
    theirs = {r["question_id"]: r["prompt"] for r in map(json.loads, path.read_text().splitlines())}
    profile = load_profile("r1-standard", load(), real)
    made = opened("livecodebench-v5-public", real, part=WINDOW)
    asked = [profile.asked(task, made.name) for task in made.tasks()]
    assert {task.id: task.prompt[-1].content for task in asked} == theirs
    assert [message.role for message in asked[0].prompt] == ["user"]


def test_the_benchmarks_own_prompt_has_its_system_turn(real: BuildContext) -> None:
    profile = load_profile("lcb-chat", load(), real)
    tasks = opened("livecodebench-v5-public", real).tasks()
    starter = next(task for task in tasks if "class Solution" in task.meta["format"])
    for task, mark in ((tasks[0], None), (starter, "class Solution:\n")):
        system, user = profile.asked(task, "livecodebench-v5-public").prompt
        assert (system.role, user.role) == ("system", "user")
        assert system.content.startswith("You are an expert Python programmer.")
        question = task.prompt[-1].content
        assert user.content.startswith(f"### Question:\n{question}\n\n### Format: ")
        assert user.content.endswith("```\n\n### Answer: (use the provided format with backticks)\n\n")
        assert mark is None or mark in user.content


# The official layout -----------------------------------------------------------------------------

ROWS = [
    row("abc1_a"),
    row("2727", functional=True, difficulty="hard"),
    row("abc1_b", contest_date="2025-02-01T18:30:00", private_test_cases=json.dumps([])),
]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A release v1 of three problems below `data`."""
    monkeypatch.setitem(releases.FILES, "v1", ("test.jsonl", 3))
    write_mirror(tmp_path / "data", ROWS)
    return tmp_path


def answers(made: Any, cache: Path) -> dict[str, list[tuple[str, str]]]:
    by_task: dict[str, list[tuple[str, str]]] = {}
    for task in made.tasks():
        tests = Store(cache).get(task.answer["tests"])
        assert len(tests) == task.answer["count"]
        by_task[task.id] = tests
    return by_task


def test_a_copy_of_the_hubs_files_gives_all_tests_public_ones_first(small: Path) -> None:
    made = opened("livecodebench-v1", context(small / "cache", small / "data"))
    assert answers(made, small / "cache") == {
        "abc1_a": [("1 2\n", "3\n"), ("4 5\n", "9\n")],
        "2727": [("1", "2"), ("4", "5")],
        "abc1_b": [("1 2\n", "3\n")],
    }
    first, second, _ = made.tasks()
    assert (first.answer["entry_point"], second.answer["entry_point"]) == (None, "f")
    assert first.tags == ("difficulty=easy", "platform=atcoder", "errata=none")
    assert made.origin["tests"] == "all"


def test_the_public_tests_alone_are_another_benchmark(small: Path) -> None:
    made = context(small / "cache", small / "data")
    public = opened("livecodebench-v1-public", made)
    assert answers(public, small / "cache")["abc1_a"] == [("1 2\n", "3\n")]
    whole = opened("livecodebench-v1", made)
    assert public.name != whole.name
    assert public.origin["sha"] != whole.origin["sha"]


def test_a_window_is_part_of_the_name(small: Path) -> None:
    made = opened("livecodebench-v1", context(small / "cache", small / "data"), part=WINDOW)
    assert made.name == f"livecodebench-v1@{WINDOW}"
    assert [task.id for task in made.tasks()] == ["abc1_a", "2727"]


def test_tests_change_what_a_task_is(small: Path) -> None:
    made = context(small / "cache", small / "data")
    before: list[Task] = opened("livecodebench-v1", made).tasks()
    write_mirror(small / "data", [row("abc1_a", private_test_cases="[]"), *ROWS[1:]])
    after: list[Task] = opened("livecodebench-v1", made).tasks()
    same = [one.content_hash == other.content_hash for one, other in zip(before, after, strict=True)]
    assert same == [False, True, True]


def test_a_file_is_read_once_and_again_when_its_tests_are_gone(
    small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = context(small / "cache", small / "data")
    first = opened("livecodebench-v1", made).tasks()
    with monkeypatch.context() as patched:
        patched.setattr("harness_livecodebench.problems.unpack_tests", None)
        assert opened("livecodebench-v1", made).tasks() == first
    for path in (small / "cache").rglob("*.z"):
        path.unlink()
    assert opened("livecodebench-v1", made).tasks() == first
    assert answers(opened("livecodebench-v1", made), small / "cache")


def test_damaged_tests_are_not_used(small: Path) -> None:
    made = context(small / "cache", small / "data")
    asked = opened("livecodebench-v1", made).tasks()[0].answer["tests"]
    path = next((small / "cache").rglob(f"{asked}.json.z"))
    path.write_bytes(zlib.compress(b"[]"))
    with pytest.raises(DataError, match="not what its name says"):
        Store(small / "cache").get(asked)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"private_test_cases": "?"}, ":1:private_test_cases: neither JSON nor base64"),
        ({"public_test_cases": json.dumps([{"input": "1"}])}, ":1:public_test_cases: test 0 must have input"),
        ({"question_content": ""}, ":1:question_content: must be text"),
        ({"metadata": "[]"}, ":1:metadata: must be a JSON object"),
        ({"metadata": json.dumps({"func_name": "f()"})}, ":1:metadata: func_name must be a name"),
        ({"metadata": json.dumps({"func_name": "f"})}, "has tests of stdin where functional is meant"),
    ],
)
def test_a_row_that_does_not_fit_names_file_line_and_field(
    small: Path, change: dict[str, str], message: str
) -> None:
    write_mirror(small / "data", [row("abc1_a", **change), *ROWS[1:]])
    with pytest.raises(DataError) as caught:
        opened("livecodebench-v1", context(small / "cache", small / "data"))
    assert message in str(caught.value)


def test_a_copy_that_is_not_complete_is_refused(small: Path) -> None:
    write_mirror(small / "data", ROWS[:2])
    with pytest.raises(DataError, match="has 2 problems, so it is not release v1"):
        opened("livecodebench-v1", context(small / "cache", small / "data"))


def test_a_known_window_of_another_size_is_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(releases.SIZES, ("v1", WINDOW), 3)
    with pytest.raises(DataError, match="has 2 problems"):
        opened("livecodebench-v1", context(small / "cache", small / "data"), part=WINDOW)


def test_all_tests_are_not_taken_from_statements(real: BuildContext) -> None:
    with pytest.raises(DataError, match="livecodebench-v5-public"):
        opened("livecodebench-v5", real, source="local")
    with pytest.raises(DataError, match="knows the problems of v5 alone"):
        opened("livecodebench-v6-public", real, source="local")


def test_the_hubs_files_come_at_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("huggingface_hub")
    pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setitem(releases.FILES, "v1", ("test.jsonl", 2))
    monkeypatch.setitem(releases.FILES, "v2", ("test2.jsonl", 3))
    files = {"test.jsonl": jsonl(ROWS[:2]), "test2.jsonl": jsonl(ROWS[2:])}
    with serving({releases.REPOSITORY: Repository(files, "e" * 40)}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        made = opened("livecodebench-v2", context(tmp_path / "cache", None))
        assert [task.id for task in made.tasks()] == ["abc1_a", "2727", "abc1_b"]
        assert made.origin["revision"] == "e" * 40
        asked = len(hub.requests)
        assert opened("livecodebench-v2", context(tmp_path / "cache", None)).tasks() == made.tasks()
        assert len(hub.requests) == asked, "the second load needs no network"
        with pytest.raises(DataError, match="does not give it"):
            opened("livecodebench-v3", context(tmp_path / "cache", None))
