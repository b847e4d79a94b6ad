"""The pool: fresh tasks, held-out protection, rules over subjects, a place that survives."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from harness_tasks.jsonl import Jsonl, JsonlOptions

from harness.contract.errors import DataError, RecipeError
from harness.contract.records import Difficulty, Message, PolicyRef, Task
from harness.recipe.rules import POLICY, Rule
from harness.tasks.pool import TaskPool
from tests.support.builders import context


@dataclass
class Numbers:
    """Strata "a" and "b" of numbered tasks, or finite tasks "x0", "x1", ..."""

    names: Sequence[str] = ("a", "b")
    endless: bool = True
    tags: tuple[str, ...] = ()

    def subjects(self) -> Sequence[str]:
        return self.names

    def draw(self, subject: str, index: int) -> Task:
        number = index if self.endless else 0
        return Task(
            id=f"{subject}/{number}" if self.endless else subject,
            prompt=(Message("user", f"{subject} {number}"),),
            verifier="",
            answer=number,
            stratum=subject if self.endless else None,
            tags=self.tags,
            domain="numbers",
        )

    def get(self, task_id: str) -> Task:
        subject, _, number = task_id.partition("/")
        return self.draw(subject, int(number or 0))


class Odd:
    def keep(self, task: Task) -> bool:
        return bool(task.answer % 2)


class Nothing:
    def keep(self, task: Task) -> bool:
        return False


def test_an_endless_subject_never_repeats_a_task_and_a_finite_one_always_does() -> None:
    pool = TaskPool([Numbers(), Numbers(("x0",), endless=False)])
    assert [pool.draw("a").id for _ in range(3)] == ["a/0", "a/1", "a/2"]
    assert pool.draw("b").id == "b/0"
    assert [pool.draw("x0").id for _ in range(2)] == ["x0", "x0"]


def test_tasks_get_the_recipes_verifier_where_the_source_names_none() -> None:
    assert TaskPool([Numbers()], verifier="math").draw("a").verifier == "math"


def test_the_place_in_each_stream_survives() -> None:
    pool = TaskPool([Numbers()])
    for _ in range(3):
        pool.draw("a")
    again = TaskPool([Numbers()])
    again.load_state_dict(pool.state_dict())
    assert again.draw("a") == pool.draw("a")
    assert again.draw("b") == pool.draw("b")


def test_filters_pass_over_tasks_and_name_a_subject_that_they_empty() -> None:
    pool = TaskPool([Numbers()], filters=[Odd()])
    assert [pool.draw("a").answer for _ in range(3)] == [1, 3, 5]
    with pytest.raises(DataError, match="leave no task of 'a'"):
        TaskPool([Numbers()], filters=[Nothing()]).draw("a")


def test_an_endless_source_passes_over_held_out_tasks() -> None:
    heldout = {Numbers().draw("a", 1).prompt_hash}
    pool = TaskPool([Numbers()], heldout=heldout)
    assert [pool.draw("a").id for _ in range(3)] == ["a/0", "a/2", "a/3"]


def test_a_finite_source_with_a_held_out_task_is_refused() -> None:
    finite = Numbers(("x0", "x1"), endless=False)
    pool = TaskPool([finite], heldout={finite.draw("x1", 0).prompt_hash})
    pool.draw("x0")
    for refuse in (lambda: pool.draw("x1"), lambda: pool.check_disjoint(10)):
        with pytest.raises(RecipeError, match="task 'x1' is a held-out task too"):
            refuse()
    pool.check_disjoint(1)


def test_the_same_question_with_its_answer_written_otherwise_is_held_out_too() -> None:
    task = Numbers().draw("a", 1)
    spaced = replace(task, answer="1.0", prompt=(Message("user", " a  1\n"),))
    assert spaced.prompt_hash == task.prompt_hash
    assert spaced.content_hash != task.content_hash


def test_two_sources_with_one_subject_are_refused() -> None:
    with pytest.raises(RecipeError, match="two task sources have a subject 'a'"):
        TaskPool([Numbers(), Numbers(("a",))])


def test_rules_select_and_tag_subjects() -> None:
    pool = TaskPool([Numbers(("a", "b", "c"), tags=("given",))])
    labels = {
        POLICY: {
            s: Difficulty(
                subject=s, model=POLICY, policy=PolicyRef(weights_sha="x"), samples=4, passes=passes
            )
            for s, passes in (("a", 4), ("b", 2))
        }
    }
    assert pool.select(Rule("0 < p < 1"), labels, pool.subjects) == ["b"]
    counts = pool.tag({"easy": Rule("p == 1"), "both": Rule('tag("easy") or tag("given")')}, labels)
    assert counts == {"easy": 1, "both": 3}
    assert pool.describe("a").tags == {"easy", "both", "given"}
    assert pool.select(None, labels, ["c"]) == ["c"]
    pool.tag({"easy": Rule("p < 1")}, labels)
    assert [s for s in pool.subjects if "easy" in pool.describe(s).tags] == ["b"], "tags follow new labels"


def test_the_fingerprint_covers_every_task_of_a_finite_source(tmp_path: Path) -> None:
    def fingerprint(changed: int | None = None) -> str:
        path = tmp_path / "set.jsonl"
        rows = [{"id": i, "problem": f"{i}?", "answer": i + (i == changed)} for i in range(1000)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        source = Jsonl(JsonlOptions(path=str(path)), context(cache=tmp_path, base=tmp_path))
        return TaskPool([source]).fingerprint()

    assert fingerprint() == fingerprint() != fingerprint(changed=501)


def test_the_fingerprint_covers_every_task_of_a_source_without_one_of_its_own() -> None:
    class Set(Numbers):
        def draw(self, subject: str, index: int) -> Task:
            task = super().draw(subject, index)
            return replace(task, answer=2) if subject == changed else task

    names = tuple(f"s{i}" for i in range(1000))
    changed = ""
    before = TaskPool([Set(names, endless=False)]).fingerprint()
    changed = "s501"
    assert TaskPool([Set(names, endless=False)]).fingerprint() != before


def test_a_verifier_that_one_task_in_a_thousand_names_is_known_beforehand() -> None:
    class Rare(Numbers):
        def draw(self, subject: str, index: int) -> Task:
            task = super().draw(subject, index)
            return replace(task, verifier="code") if subject == "s501" else task

    names = tuple(f"s{i}" for i in range(1000))
    assert TaskPool([Rare(names, endless=False)]).verifiers() == {"", "code"}


def test_the_fingerprint_tells_data_apart() -> None:
    assert TaskPool([Numbers()]).fingerprint() == TaskPool([Numbers()]).fingerprint()
    assert TaskPool([Numbers()]).fingerprint() != TaskPool([Numbers(("a", "c"))]).fingerprint()


def test_a_filter_leaves_tasks_of_a_finite_source_out() -> None:
    class First:
        def keep(self, task: Task) -> bool:
            return task.id == "x0"

    pool = TaskPool([Numbers(("x0", "x1"), endless=False)], filters=[First()])
    assert pool.subjects == ["x0"]
