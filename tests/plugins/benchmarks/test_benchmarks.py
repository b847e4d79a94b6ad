"""The catalogue's rows as tasks: on the real files, and on small ones in formats that are gated or rare."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from harness_benchmarks import readers
from harness_benchmarks.benchmark import CatalogueBenchmark
from harness_benchmarks.catalogue import ENTRIES
from harness_benchmarks.choice import Choice
from harness_benchmarks.options import BenchmarkOptions, ChoiceOptions
from harness_tasks.rows import RowFault
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.capabilities import BenchmarkCapabilities
from harness.contract.protocols import BuildContext
from harness.contract.records import Finish, PolicyRef, Rollout, RolloutKey, Sampling, Task
from harness.plugging.plugins import load
from tests.support import builders
from tests.support.data import data_folder
from tests.support.places import DATA


def context(tmp_path: Any) -> BuildContext:
    return builders.context(cache=tmp_path, data=data_folder())


LOCAL = sorted(name for name, entry in ENTRIES.items() if entry.file and (DATA / entry.file).is_file())


@pytest.mark.parametrize("name", LOCAL)
def test_the_real_rows_are_read_completely(name: str, tmp_path: Any) -> None:
    made = CatalogueBenchmark(ENTRIES[name], BenchmarkOptions(source="local"), context(tmp_path))
    tasks = made.tasks()
    assert len({task.id for task in tasks}) == len(tasks) in ENTRIES[name].problems
    assert len({task.content_hash for task in tasks}) >= len(tasks) - 2
    assert re.fullmatch(r"\d+-[A-Z]", made.version)
    assert all(task.answer not in ("", None) and task.prompt[0].content.strip() for task in tasks)


def test_the_two_wordings_of_aime_2025_are_the_same_problems(tmp_path: Any) -> None:
    one, two = (
        CatalogueBenchmark(ENTRIES[name], BenchmarkOptions(source="local"), context(tmp_path))
        for name in ("aime25", "aime25-alt")
    )
    assert [(t.id, t.answer) for t in one.tasks()] == [(t.id, t.answer) for t in two.tasks()]
    assert one.origin["sha"] != two.origin["sha"]


def test_olympiadbench_says_how_its_answers_are_read(tmp_path: Any) -> None:
    made = CatalogueBenchmark(ENTRIES["olympiadbench"], BenchmarkOptions(source="local"), context(tmp_path))
    specs = [task.answer_spec for task in made.tasks()]
    assert Counter(spec.multiple for spec in specs)[True] == 94
    assert [spec.tolerance for spec in specs if spec.tolerance is not None] == [0.1]
    assert "km/h" in {spec.unit for spec in specs}
    single = [str(task.answer) for task in made.tasks() if not task.answer_spec.multiple]
    assert not any(re.fullmatch(r"\$[^$]*\$", answer) for answer in single)


@pytest.mark.parametrize("answer", [25, 25.0, "025", "25", " 25 ", "25.0"])
def test_an_integer_is_one_however_it_is_stored(answer: Any) -> None:
    task = readers.Integers("aime24", papers=True)(
        {"ID": "2024-II-4", "Problem": "p", "answer": answer}, 0, 0
    )
    assert (task.answer, task.id, task.tags) == (25, "aime24-II-04", ("paper=II",))


def test_ids_are_the_same_from_every_copy() -> None:
    read = readers.Integers("aime25", papers=True)
    by_place = [read({"problem": "p", "answer": 1, "id": str(i)}, i, 0).id for i in (0, 14, 15, 29)]
    assert by_place == ["aime25-I-01", "aime25-I-15", "aime25-II-01", "aime25-II-15"]
    assert read({"problem": "p", "answer": 1, "id": "aime25-II-07"}, 3, 0).id == "aime25-II-07"


@pytest.mark.parametrize(
    ("read", "row", "field"),
    [
        (readers.Integers("a"), {"problem": "p", "answer": "2.5"}, "answer"),
        (readers.Integers("a"), {"answer": 2}, "problem"),
        (readers.gsm8k, {"problem": "p", "answer": "no mark"}, "answer"),
        (readers.math500, {"problem": " ", "answer": "1"}, "problem"),
        (readers.minerva, {"problem": "p", "solution": "no box"}, "solution"),
        (
            readers.olympiadbench,
            {"question": "p", "final_answer": "2", "is_multiple_answer": False},
            "final_answer",
        ),
        (readers.olympiadbench, {"question": "p", "final_answer": ["2"]}, "is_multiple_answer"),
        (readers.mbpp, {"task_id": 20, "text": "p", "code": "c"}, "test_list"),
    ],
)
def test_a_row_that_does_not_fit_names_its_field(
    read: readers.Reader, row: dict[str, Any], field: str
) -> None:
    with pytest.raises(RowFault) as caught:
        read(row, 0, 0)
    assert caught.value.field == field


# Multiple choice, in the gated data set's format with rows of our own ---------------------------

GPQA = {
    "Record ID": "rec1", "Question": "Which number is even?", "Correct Answer": "four",
    "Incorrect Answer 1": "three", "Incorrect Answer 2": "five", "Incorrect Answer 3": "seven",
    "High-level domain": "Arithmetic",
}  # fmt: skip


@given(st.integers(0, 10_000), st.text("abc", min_size=1, max_size=5))
def test_the_order_of_options_is_fixed_by_seed_and_row_and_keeps_the_answer(seed: int, name: str) -> None:
    row = {**GPQA, "Record ID": name}
    one, two = readers.gpqa(row, 0, seed), readers.gpqa(row, 7, seed)
    assert one == two
    assert f"{one.answer}) four" in one.prompt[0].content


def test_the_answer_is_everywhere_alike() -> None:
    letters = Counter(readers.gpqa({**GPQA, "Record ID": f"r{i}"}, i, 0).answer for i in range(2000))
    assert set(letters) == set("ABCD")
    assert max(letters.values()) < 1.2 * min(letters.values())


def verdict(text: str, gold: str = "B", finish: Finish = "stop", **options: Any) -> tuple[str, str | None]:
    task = Task(id="t", prompt=(), verifier="choice", answer=gold, domain="choice")
    rollout = Rollout(
        key=RolloutKey("r", "eval", "", 0, "t", 0), prompt_ids=(), completion_ids=(), text=text,
        finish=finish, policy=PolicyRef(weights_sha=""), sampling=Sampling(),
    )  # fmt: skip
    build: Any = None
    made = Choice(ChoiceOptions(**options), build).verify(task, rollout)
    return made.status, made.extracted


@pytest.mark.parametrize(
    ("text", "status", "letter"),
    [
        ("so \\boxed{B}", "pass", "B"),
        ("so \\boxed{\\text{B}}", "pass", "B"),
        ("so \\boxed{(b)}", "pass", "B"),
        ("first \\boxed{B}. No: \\boxed{C}", "fail", "C"),
        ("<think>\\boxed{B} I guess", "no_answer", None),
        ("<think>A?</think>The answer is **B**.", "pass", "B"),
        ("Answer: (B) five", "pass", "B"),
        ("B", "pass", "B"),
        ("(B).", "pass", "B"),
        ("A answer is hard to find", "no_answer", None),
        ("the answer is a long story", "no_answer", None),
        ("", "no_answer", None),
    ],
)
def test_the_letter_that_is_named_counts(text: str, status: str, letter: str | None) -> None:
    assert verdict(text) == (status, letter)


def test_a_truncated_choice_is_no_answer_and_a_failed_engine_no_verdict() -> None:
    assert verdict("Answer: B", finish="length")[0] == "no_answer"
    assert verdict("Answer: B", extraction="boxed")[0] == "no_answer"


def test_every_benchmark_and_profile_is_registered() -> None:
    registry = load().registry
    for name, entry in ENTRIES.items():
        able = registry.find("benchmarks", name).able(BenchmarkCapabilities)
        assert (able.repo, able.gated) == (entry.repo, entry.gated)
    assert set(registry.names("benchmarks")) >= set(ENTRIES)
    assert {"r1-standard", "seed-paper", "qwen3-thinking", "greedy-smoke"} <= set(registry.names("profiles"))


def test_infinity_is_no_integer_and_a_list_no_unit() -> None:
    with pytest.raises(RowFault, match="integer"):
        readers.Integers("x")({"problem": "p", "answer": "inf"}, 0, 0)
    row = {"question": "q", "final_answer": ["1"], "is_multiple_answer": False, "unit": ["cm"]}
    with pytest.raises(RowFault, match="text"):
        readers.olympiadbench(row, 0, 0)


@pytest.mark.parametrize("papers", [False, True])
def test_a_name_of_thousands_of_digits_is_no_number(papers: bool) -> None:
    row = {"problem": "p", "answer": "1", "id": "2024-I-" + "9" * 5000}
    assert len(readers.Integers("x", papers=papers)(row, 2, 0).id) < 20
