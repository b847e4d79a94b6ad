"""Contests of 2025 and 2026: read from the folder and from the Hub's form, judged against themselves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.benchmark import CatalogueBenchmark
from harness_benchmarks.catalogue import ENTRIES
from harness_benchmarks.contests import Contest
from harness_benchmarks.errata import errata, known_faults, tagged
from harness_benchmarks.options import BenchmarkOptions
from harness_tasks.rows import RowFault

from harness.benchmarking.problems import families
from harness.benchmarking.profile import Profile, load_profile
from harness.contract import DataError, Task
from harness.plugging.plugins import load
from tests.support import builders
from tests.support.data import data_folder
from tests.support.hub import data_set, serving
from tests.support.math_kit import rollout_of, verifier

LOCAL = ("aime26", "hmmt-feb25", "hmmt-feb26")
CONTESTS = (*LOCAL, "hmmt-nov25", "brumo25", "cmimc25", "apex25", "beyond-aime")


def real(name: str, cache: Path) -> list[Task]:
    context = builders.context(cache=cache, data=data_folder())
    return list(CatalogueBenchmark(ENTRIES[name], BenchmarkOptions(source="local"), context).tasks())


@pytest.mark.parametrize("name", LOCAL)
def test_each_gold_passes_against_itself_and_not_against_another(name: str, tmp_path: Path) -> None:
    tasks = real(name, tmp_path)
    judge = verifier()
    for task, other in zip(tasks, [*tasks[1:], tasks[0]], strict=True):
        said = judge.verify(replace(task, verifier="math"), rollout_of(f"So \\boxed{{{task.answer}}}."))
        assert said.status == "pass", (task.id, task.answer, said)
        wrong = judge.verify(replace(task, verifier="math"), rollout_of(f"So \\boxed{{{other.answer}}}."))
        assert wrong.status == "fail" or str(other.answer) == str(task.answer), (task.id, other.answer)


@pytest.mark.parametrize(
    ("name", "number", "answer"),
    [
        ("hmmt-feb26", 27, "74"),
        ("hmmt-feb26", 30, "\\sqrt{\\frac{580}{3}}"),
        ("hmmt-feb26", 7, "\\frac{1}{\\sqrt[3]{3+\\sqrt6}}"),
        ("hmmt-feb26", 9, "\\frac{50(2^{101}-2)}{2^{101}-1}"),
        ("hmmt-feb25", 10, "\\frac{-1-\\sqrt{17}}{2}, \\frac{-1+\\sqrt{17}}{2}"),
        ("hmmt-feb25", 10, "\\frac{-1 \\pm \\sqrt{17}}{2}"),
        ("hmmt-feb25", 30, "\\frac{\\sqrt{570}}{12}"),
        ("aime26", 1, "277"),
    ],
)
def test_odd_golds_take_other_writings(name: str, number: int, answer: str, tmp_path: Path) -> None:
    task = replace(real(name, tmp_path)[number - 1], verifier="math")
    assert verifier().verify(task, rollout_of(f"\\boxed{{{answer}}}")).status == "pass"


def test_half_of_a_list_is_not_the_answer(tmp_path: Path) -> None:
    task = replace(real("hmmt-feb25", tmp_path)[9], verifier="math")
    assert verifier().verify(task, rollout_of("\\boxed{\\frac{-1+\\sqrt{17}}{2}}")).status == "fail"


@pytest.mark.parametrize("name", sorted(set(errata()) & set(LOCAL)))
def test_errata_name_problems_that_there_are_and_a_source(name: str, tmp_path: Path) -> None:
    assert errata()[name]["source"].startswith("https://")
    tasks = real(name, tmp_path)
    odd = [task for task in tasks if not any(tag == "errata=none" for tag in task.tags)]
    assert 0 < len(odd) < len(tasks)
    with pytest.raises(DataError, match="no problem is named 'elsewhere-1'"):
        tagged(tasks, {"elsewhere-1": "wording"}, "errata")
    assert known_faults("math500", tasks) == tasks


# The Hub's form, with rows of our own ------------------------------------------------------------------


def hub_rows(name: str) -> list[dict[str, object]]:
    count = max(ENTRIES[name].problems)
    if name == "beyond-aime":
        return [{"problem": f"What is {i} + {i}?", "answer": 2 * i} for i in range(count)]
    return [
        {"problem_idx": i + 1, "problem": f"What is {i} / 7?",
         "answer": f"\\frac{{{i}}}{{7}}" if i % 2 else i, "problem_type": ["Number Theory"]}
        for i in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("name", CONTESTS)
def test_a_contest_comes_from_the_hub_at_its_revision(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets")
    entry = ENTRIES[name]
    rows = hub_rows(name)
    if name == "aime26":
        rows = [{**row, "answer": 7} for row in rows]
    repository = data_set(entry.split, rows, commit=entry.revision or "e" * 40)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with serving({entry.repo: repository}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        # Errata are those of the published problems, which the rows here are not.
        made = CatalogueBenchmark(entry, BenchmarkOptions(), builders.context(cache=tmp_path / "cache"))
    assert made.origin["revision"] == (entry.revision or "e" * 40)
    tasks = made.tasks()
    assert len(tasks) == max(entry.problems)
    assert tasks[1].answer in ("\\frac{1}{7}", 7, 2)
    last = {"aime26": "aime26-II-15", "beyond-aime": "beyond-aime-99"}
    assert tasks[-1].id == last.get(name, f"{name}-{len(tasks):02d}")


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"problem": "p", "answer": None}, "answer"),
        ({"problem": "p", "answer": True}, "answer"),
        ({"problem": "p", "answer": [1]}, "answer"),
        ({"problem": "", "answer": 1}, "problem"),
        ({"problem": "p", "answer": 1, "problem_idx": 0}, "problem_idx"),
    ],
)
def test_a_row_that_does_not_fit_names_its_field(row: dict[str, Any], field: str) -> None:
    with pytest.raises(RowFault) as caught:
        Contest("c")(row, 0, 0)
    assert caught.value.field == field


# Families ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["r1-standard", "qwen3-thinking"])
def test_a_new_year_takes_the_numbers_of_its_family(profile: str) -> None:
    plugins = load()
    made = load_profile(profile, plugins, builders.context())
    of = families({name: {} for name in CONTESTS}, plugins)
    limits = {made.sampling_of(name, of[name]).max_tokens for name in CONTESTS}
    assert {made.samples_of(name, of[name]) for name in CONTESTS} == {64}
    assert limits == {made.sampling_of("aime24").max_tokens}
    assert made.samples_of("math500", ()) == 4


def test_the_nearest_name_decides() -> None:
    base = load_profile("r1-standard", load(), builders.context())

    def of(**samples: int) -> int:
        made: Profile = base.model_copy(update={"samples": {"default": 1, **samples}})
        return made.samples_of("hmmt-feb26", families({"hmmt-feb26": {}}, load())["hmmt-feb26"])

    assert of() == 1
    assert of(aime24=2) == 2
    assert of(aime24=2, aime25=3) == 3
    assert of(aime24=2, aime=4) == 4
    assert of(aime=4, contest=5) == 5
    assert of(contest=5, hmmt=6) == 6
    assert of(hmmt=6, **{"hmmt-feb26": 7}) == 7
