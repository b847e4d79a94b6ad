"""Source `hinted`: what is shown, how it is tied to the plain task, and that held-out problems stay out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness_hints.names import hinted, parts
from harness_hints.options import QuestAOptions
from harness_hints.questa import QuestA
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import main
from harness.contract.errors import DataError, RecipeError
from harness.contract.protocols import CurriculumContext
from harness.contract.records import Difficulty, PolicyRef
from harness.contract.seeds import generator
from harness.recipe.rules import Rule
from harness.tasks.pool import StagePool, TaskPool
from harness.testing import TaskSourceConformance

ROWS = [
    {"id": f"p{i}", "problem": f"What is {i} plus {i}?", "answer": str(2 * i),
     "solution": f"First take {i}.\nThen add {i} to it.  That gives {2 * i}."}
    for i in range(6)
]  # fmt: skip


@pytest.fixture
def inner(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "problems.jsonl"
    bare = {"id": "bare", "problem": "What is 1?", "answer": "1", "solution": ""}
    path.write_text("\n".join(map(json.dumps, [*ROWS, bare])), encoding="utf-8")
    return {"name": "jsonl", "path": str(path), "fields": {"meta": ["solution"]}}


class TestHinted(TaskSourceConformance):
    name = "hinted"

    @pytest.fixture(autouse=True)
    def _inner(self, inner: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "options", {"source": inner})


def build(harness_build: Any, inner: dict[str, Any], **options: Any) -> Any:
    return harness_build("task_sources", "hinted", source=inner, **options)


def test_each_task_with_a_solution_has_a_subject_per_share_beside_the_plain_one(
    harness_build: Any, inner: dict[str, Any]
) -> None:
    names = build(harness_build, inner, shares=(0.25, 0.5)).subjects()
    assert names[:3] == ["problems/p0~hint-50", "problems/p0~hint-25", "problems/p0"], "easy to hard"
    assert names[-1] == "problems/bare", "nothing to show"
    assert len(names) == 6 * 3 + 1
    assert "problems/p0" not in build(harness_build, inner, plain=False).subjects()


def test_a_hint_is_the_beginning_of_the_solution_in_whole_words(
    harness_build: Any, inner: dict[str, Any]
) -> None:
    source = build(harness_build, inner, shares=(0.01, 0.5, 0.99), template="{problem}|{hint}")
    texts = [source.draw(f"problems/p3~hint-{n}", 0).prompt[-1].content for n in (1, 50, 99)]
    assert [text.partition("|")[2] for text in texts] == [
        "First",
        "First take 3.\nThen add 3",
        "First take 3.\nThen add 3 to it.  That gives",
    ], "never nothing, never all"
    assert all(text.startswith("What is 3 plus 3?|") for text in texts)


def test_a_hinted_task_is_judged_as_the_plain_one_and_tied_to_it(
    harness_build: Any, inner: dict[str, Any]
) -> None:
    source = build(harness_build, inner)
    plain, shown = source.draw("problems/p3", 0), source.draw("problems/p3~hint-50", 0)
    assert (shown.answer, shown.verifier, shown.domain) == (plain.answer, plain.verifier, plain.domain)
    assert shown.meta["plain"] == {"id": plain.id, "subject": plain.subject, "prompt_hash": plain.prompt_hash}
    assert shown.subject == shown.id != plain.id
    assert "hint=50" in shown.tags
    assert plain.prompt_hash in shown.prompt_hashes


def test_a_hint_does_not_lead_a_held_out_problem_into_training(
    harness_build: Any, inner: dict[str, Any]
) -> None:
    source = build(harness_build, inner)
    pool = TaskPool([source], heldout={source.draw("problems/p3", 0).prompt_hash})
    pool.draw("problems/p2~hint-50")
    with pytest.raises(RecipeError, match=r"p3~hint-50' is a held-out task too"):
        pool.draw("problems/p3~hint-50")


def test_a_rule_picks_all_forms_of_the_problems_that_are_hard_without_a_hint(
    harness_build: Any, inner: dict[str, Any]
) -> None:
    pool = TaskPool([build(harness_build, inner, shares=(0.25, 0.5))])
    rates = {f"problems/p{i}": 0 if i < 3 else 8 for i in range(6)}
    published = {
        subject: Difficulty(
            subject=subject, model="7b", policy=PolicyRef(weights_sha=""), samples=8, passes=passes
        )
        for subject, passes in rates.items()
    }
    hard = pool.select(Rule('plain(p["7b"] <= 0.1)'), {"7b": published}, pool.subjects)
    assert hard == [
        name for name in pool.subjects if parts(name)[0] in ("problems/p0", "problems/p1", "problems/p2")
    ]
    curriculum = QuestA(QuestAOptions(shares=(0.5,)))
    drawn = curriculum.next(3, CurriculumContext("s", 1, StagePool(pool, hard, {}), generator("hints")))
    assert sorted(task.subject for task in drawn) == [f"problems/p{i}~hint-50" for i in range(3)]


def test_sources_without_solutions_and_templates_without_a_place_are_refused(
    harness_build: Any, inner: dict[str, Any]
) -> None:
    with pytest.raises(DataError, match=r"no solution|no task has a solution"):
        build(harness_build, inner | {"fields": {}}).subjects()
    with pytest.raises(DataError, match=r"bare.* has no solution"):
        build(harness_build, inner).draw("problems/bare~hint-50", 0)
    with pytest.raises(DataError, match="has no subject"):
        build(harness_build, inner, shares=(0.5,)).draw("problems/p3~hint-40", 0)
    for wrong in ({"shares": ()}, {"shares": (0.5, 0.501)}, {"template": "{problem}"}):
        with pytest.raises(RecipeError):
            build(harness_build, inner, **wrong)


@given(st.text(min_size=1).filter(lambda s: "~hint-" not in s and "\n" not in s), st.integers(1, 99))
def test_names_of_hinted_subjects_say_whose_they_are(subject: str, percent: int) -> None:
    assert parts(hinted(subject, percent / 100)) == (subject, percent / 100)
    assert parts(subject) == (subject, 0.0)


def test_a_recipe_s_check_looks_into_the_source_of_a_hinted_one(
    inner: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.toml"
    fields = 'fields = { meta = ["solution"] }'
    source = f'{{ name = "jsonl", path = "problems.jsonl", {fields} }}'
    text = f"""name = "hints"
model = {{ name = "tiny" }}
[tasks]
train = [{{ name = "hinted", source = {source} }}]
[[stages]]
name = "s"
curriculum = "seele"
"""
    recipe.write_text(text, encoding="utf-8")
    assert main(["recipe", "check", str(recipe)]) == 0
    recipe.write_text(text.replace('"jsonl"', '"jsonll"'), encoding="utf-8")
    assert main(["recipe", "check", str(recipe)]) == 2
    assert "'jsonll'" in capsys.readouterr().err
