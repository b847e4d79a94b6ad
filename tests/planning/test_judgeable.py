"""An answer that no verifier can judge stops a run before it starts, with its file, line and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness_code.verifier import CodeOptions, CodeVerifier
from harness_exact.exact import Exact, ExactOptions

from harness.contract.errors import DataError
from harness.contract.protocols import BuildContext, Verifier
from harness.contract.records import Rollout, Task, Verdict
from harness.planning.plan import make_plans
from harness.plugging.plugins import load
from harness.recipe import load_recipe
from harness.running.preflight import preflight_all
from harness.scoring.judgeable import refuse_unfit, unfit
from tests.planning.test_plan import refusal
from tests.support.builders import context, task

RECIPE = """
name = "mine"
verifier = "{verifier}"
[model]
name = "random"
loader = {{ name = "random-llama" }}
prompt = "raw"
[tasks]
train = [{{ name = "jsonl", path = "set.jsonl", domain = "{domain}" }}]
[checkpoints]
min_free_gb = 0.0
[[stages]]
name = "s"
curriculum = "uniform"
rollout = {{ n = 2, batch = 2, max_tokens = 2 }}
optimizer = {{ lr = 1e-3 }}
max_steps = 1
"""


def recipe(folder: Path, answer: Any, verifier: str = "math", domain: str = "math") -> Path:
    good = {"math": "2", "exact": "2", "last-number": "2", "choice": "A"}.get(verifier, ANSWER)
    rows = [{"id": "0", "problem": "1+1=", "answer": good}, {"id": "1", "problem": "2+1=", "answer": answer}]
    (folder / "set.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(verifier=verifier, domain=domain))
    return path


ANSWER = {"kind": "stdio", "tests": [{"input": "1\n", "output": "1\n"}]}


@pytest.mark.parametrize(
    ("verifier", "answer"),
    [
        *(("math", answer) for answer in (True, False, "  ", [""], [None], [["42"]], {"target": 2}, [True])),
        *(("exact", answer) for answer in (True, ["2"], 0.5, {"a": 1})),
        *(("last-number", answer) for answer in (True, ["2"], {"a": 1})),
        *(("choice", answer) for answer in ("K", 7, "A or B")),
        *(
            ("code", answer)
            for answer in (
                "assert f(3) == 4", {"kind": "stdio", "tests": []}, {"kind": "asserts"},
                {"kind": "asserts", "entry_point": "f", "tests": "def test_f():\n    assert f(3) == 4\n"},
                {"kind": "functional", "entry_point": "f", "tests": [], "compare": "json"},
                ANSWER | {"compare": "same"}, ANSWER | {"checker": "def f(): 0"}, ANSWER | {"limit": 1},
            )
        ),
    ],
)  # fmt: skip
def test_a_plan_refuses_it_with_its_line(tmp_path: Path, verifier: str, answer: Any) -> None:
    text = refusal(recipe(tmp_path, answer, verifier, "code" if verifier == "code" else "math"))
    assert f"{tmp_path / 'set.jsonl'}:2:answer: verifier {verifier!r} cannot judge it: " in text
    assert "set.jsonl:1" not in text


@pytest.mark.parametrize(
    ("verifier", "answer"),
    [
        ("math", ["2", 3]),
        ("math", 0.5),
        ("exact", 2),
        ("last-number", "x"),
        ("choice", "b"),
        ("code", ANSWER),
    ],
)
def test_what_can_be_judged_is_planned(tmp_path: Path, verifier: str, answer: Any) -> None:
    path = recipe(tmp_path, answer, verifier)
    preflight_all(make_plans(load_recipe(path), load()), tmp_path)


def test_held_out_answers_are_looked_at_too(tmp_path: Path) -> None:
    path = recipe(tmp_path, "2")
    (tmp_path / "unseen.jsonl").write_text('{"id": "0", "problem": "3+1=", "answer": {"x": 4}}\n')
    held = '[[evaluation.heldout]]\nname = "h"\ntasks = [{ name = "jsonl", path = "unseen.jsonl" }]\n'
    path.write_text(path.read_text() + held)
    assert "task 'unseen/0': verifier 'math' cannot judge it" in refusal(path)


class Asked:
    """A verifier that says itself what it cannot judge."""

    def __init__(self, options: None = None, context: BuildContext | None = None) -> None:
        self.verified = 0

    def open(self) -> None: ...

    def check(self, task: Task) -> str | None:
        return None if task.answer == "2" else "is not 2"

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        self.verified += 1
        raise AssertionError("not asked")

    def close(self) -> None: ...


def test_a_verifier_s_own_check_decides() -> None:
    asked = Asked()
    assert (unfit(asked, task("2")), unfit(asked, task("3")), asked.verified) == (None, "is not 2", 0)


def test_without_a_check_an_aborted_completion_is_judged() -> None:
    exact: Verifier = Exact(ExactOptions(), context())
    assert unfit(exact, task("2")) is None
    assert "neither text nor an integer" in str(unfit(exact, task(None)))


def test_ten_are_named_and_the_others_counted() -> None:
    tasks = [(None, task({"a": n}, id=f"t{n}")) for n in range(13)]
    with pytest.raises(DataError) as refused:
        refuse_unfit(tasks, {"exact": Exact(ExactOptions(), context())})
    assert str(refused.value).count("cannot judge it") == 10
    assert "and 3 tasks more" in str(refused.value)


def test_a_check_needs_no_sandbox() -> None:
    code = CodeVerifier(CodeOptions(), context())
    assert code.check(task(ANSWER)) is None
    assert "has no tests" in str(code.check(task({"kind": "stdio", "tests": []})))
