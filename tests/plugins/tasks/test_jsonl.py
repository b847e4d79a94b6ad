"""Source `jsonl`."""

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from harness_exact.last_number import LastNumber, LastNumberOptions
from harness_tasks.jsonl import Jsonl, JsonlOptions
from harness_tasks.splits import split_of
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract.errors import DataError, RecipeError
from harness.contract.records import Message
from harness.plugging.plugins import load
from harness.recipe import Use
from harness.recipe.errors import validated
from tests.support.builders import context, rollout
from tests.support.data import data_folder


def source(path: Path | str, data: Path | None = None, base: Path | None = None, **options: Any) -> Jsonl:
    cache = base or Path(path).parent
    made = context(cache=cache, data=data, base=base or Path())
    return Jsonl(validated(JsonlOptions, {"path": str(path)} | options, where="test"), made)


def written(folder: Path, *rows: Any, name: str = "set.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def row(id: Any = "a", problem: Any = "1+1?", answer: Any = 2, **more: Any) -> dict[str, Any]:
    return {"id": id, "problem": problem, "answer": answer} | more


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + b"\r\n".join(json.dumps(row(name)).encode() for name in "ab") + b"\r\n"
    )
    assert list(source(path).subjects()) == ["set/a", "set/b"]
    assert source(path).get("set/a").answer == 2


def test_rows_become_tasks(tmp_path: Path) -> None:
    path = written(tmp_path, row(), "", row("b", "2+2 = {x}?", "4", level=3, subject="Algebra", note=None))
    made = source(
        path,
        system="Think.",
        template="{problem} {Answer}.",
        verifier="last-number",
        answer_spec={"type": "integer"},
        fields={"tags": ["level", "subject", "note"], "meta": ["level"]},
    )
    assert not made.endless
    assert list(made.subjects()) == ["set/a", "set/b"]
    task = made.draw("set/b", 7)
    assert task == made.draw("set/b", 0) == made.get("set/b")
    assert task.prompt == (Message("system", "Think."), Message("user", "2+2 = {x}? {Answer}."))
    assert (task.answer, task.verifier, task.answer_spec.type) == ("4", "last-number", "integer")
    assert task.tags == ("level=3", "subject=Algebra")
    assert task.meta == {"level": 3}
    assert task.subject == "set/b"


def test_a_recipe_gives_every_option(tmp_path: Path) -> None:
    """A recipe's `name` is the source's own, so that no option may be called so."""
    path = written(tmp_path, row())
    use = Use.model_validate({"name": "jsonl", "path": str(path), "prefix": "mine"})
    made = load().registry.find("task_sources", use.name).build(use.options, context(cache=tmp_path))
    assert list(made.subjects()) == ["mine/a"]


def test_fields_and_names_are_free(tmp_path: Path) -> None:
    path = written(tmp_path, {"q": "?", "a": [1]}, {"q": "!", "a": 0}, name="x.test.jsonl")
    made = source(path, fields={"id": None, "problem": "q", "answer": "a"}, prefix="mine")
    assert list(made.subjects()) == ["mine/1", "mine/2"]
    assert made.get("mine/2").answer == 0
    assert made.get("mine/2").verifier == ""


def test_a_recipe_can_have_rows_numbered(tmp_path: Path) -> None:
    """TOML has no word for None, so the empty string says it."""
    made = source(written(tmp_path, row("a"), row("b")), fields={"id": ""})
    assert list(made.subjects()) == ["set/1", "set/2"]


def test_subjects_are_a_lazy_sequence(tmp_path: Path) -> None:
    subjects = source(written(tmp_path, *(row(i) for i in range(5)))).subjects()
    assert len(subjects) == 5
    assert subjects[-1] == "set/4"
    assert subjects[1:4:2] == ["set/1", "set/3"]
    assert "set/3" in subjects
    assert "set/9" not in subjects
    assert subjects.index("set/2") == 2
    with pytest.raises(IndexError):
        subjects[5]


def test_where_keeps_rows_that_match_in_full(tmp_path: Path) -> None:
    path = written(tmp_path, row("a", answer=12), row("b", answer="12x"), row("c", answer="-3"))
    assert list(source(path, where={"answer": "-?[0-9]+"}).subjects()) == ["set/a", "set/c"]
    with pytest.raises(DataError, match="no row is left"):
        source(path, where={"answer": "zero"})


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_named_as_empty(tmp_path: Path, content: str) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(content)
    with pytest.raises(DataError, match=r"set\.jsonl: holds no rows: the file is empty"):
        source(path)


@settings(max_examples=20)
@given(st.integers(0, 10**9))
def test_splits_share_out_the_problems_and_twins_stay_together(salt: int) -> None:
    problems = [f"{salt + i // 2} + 1?" for i in range(60)]
    parts = {split: {p for p in problems if split_of(p, 0.4) == split} for split in ("train", "heldout")}
    assert not parts["train"] & parts["heldout"]
    assert parts["train"] | parts["heldout"] == set(problems)
    assert all(split_of(f"  {p}\n", 0.4) == split_of(p, 0.4) for p in problems)


def test_the_two_splits_of_a_file_never_share_a_problem(tmp_path: Path) -> None:
    path = written(tmp_path, *(row(i, f"{i // 2}?", i // 2) for i in range(400)))
    train, held = (source(path, split=split, heldout_share=0.3) for split in ("train", "heldout"))
    assert len(train.subjects()) + len(held.subjects()) == 400
    assert 70 < len(held.subjects()) < 170
    contents = [{s.get(id).content_hash for id in s.subjects()} for s in (train, held)]
    assert not contents[0] & contents[1]


def test_every_bad_row_is_named_by_file_line_and_field(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        row(),
        "{",
        "[1]",
        {"id": "c", "answer": 1},
        row("d", problem=" "),
        row("e", problem=3),
        row("f", answer=None),
        row(None),
        row(True),
        {"problem": "?", "answer": 1},
    )
    with pytest.raises(DataError) as caught:
        source(path)
    said = str(caught.value).splitlines()
    for line, (number, words) in zip(
        said,
        [
            ("2", "is not JSON"),
            ("3", "is not an object but list"),
            ("4:problem", "is missing; the row has answer, id"),
            ("5:problem", "must be text that is not empty, not ' '"),
            ("6:problem", "must be text that is not empty, not 3"),
            ("7:answer", "holds no answer but None"),
            ("8:id", "must be an id (text or an integer), not None"),
            ("9:id", "must be an id (text or an integer), not True"),
            ("10:id", "must be an id (text or an integer), not None"),
        ],
        strict=True,
    ):
        assert line.startswith(f"{path}:{number}: ")
        assert words in line


def test_a_file_of_faults_gets_a_short_message(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"and 90 rows more$"):
        source(written(tmp_path, *["no"] * 100))


def test_shared_ids_are_named_with_both_lines(tmp_path: Path) -> None:
    path = written(tmp_path, row("a"), row("b"), row("a", "else?"))
    with pytest.raises(DataError, match=rf"{path}:3: id 'set/a' is already on line 1"):
        source(path)


def test_unknown_ids_get_near_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no task 'set/alhpa'\n  allowed: did you mean 'set/alpha'"):
        source(written(tmp_path, row("alpha"), row("beta"))).get("set/alhpa")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"template": "solve"}, "template: 'solve' does not contain {problem}"),
        ({"where": {"answer": "("}}, "where.answer: '(' is not a regular expression"),
        ({"heldout_share": 2}, "heldout_share: Input should be less than or equal to 1, got 2"),
        ({"fields": {"qestion": "q"}}, "fields.qestion: no such field"),
        ({"prefix": "a b"}, "prefix: String should match pattern"),
    ],
)
def test_options_that_do_not_fit_are_named(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        source(written(tmp_path, row()), **options)
    assert said in str(caught.value)


def test_an_answer_spec_that_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"answer_spec: not a AnswerSpec: .*'int'"):
        source(written(tmp_path, row()), answer_spec={"type": "int"})


def test_paths_start_at_the_recipe_or_at_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    written(tmp_path / "benchmarks", row())
    assert len(source("benchmarks/set.jsonl", base=tmp_path).subjects()) == 1
    assert len(source("data:benchmarks/set.jsonl", data=tmp_path).subjects()) == 1
    with pytest.raises(DataError, match=r"HARNESS_DATA is not set\n  next: export HARNESS_DATA="):
        source("data:benchmarks/set.jsonl")
    with pytest.raises(DataError, match=r"no file .*sett\.jsonl'\n  allowed: did you mean 'set\.jsonl'"):
        source("benchmarks/sett.jsonl", base=tmp_path)


def test_gzip_files_are_unpacked_once(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(row()).encode()))
    assert list(source(path).subjects()) == ["set/a"]
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    before = unpacked.stat().st_mtime_ns
    assert source(path).get("set/a").answer == 2
    assert unpacked.stat().st_mtime_ns == before
    path.write_bytes(gzip.compress(b"x" * 1000)[:15])
    with pytest.raises(DataError, match="not a whole gzip file"):
        source(path)


def test_memory_is_bounded_by_rows_not_by_texts(tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    with path.open("w") as file:
        file.writelines(json.dumps(row(i, f"{i} " + "x" * 1000)) + "\n" for i in range(20_000))
    tracemalloc.start()
    made = source(path)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert path.stat().st_size > 20_000_000
    assert kept < 60 * 20_000
    assert peak < 200 * 20_000
    assert made.get("big/19999").prompt[0].content.startswith("19999 ")


@pytest.mark.parametrize(
    ("file", "integers", "rows"),
    [("gsm8k_test", False, 1319), ("math500", False, 500), ("math500", True, 311)],
)
def test_published_solutions_pass_the_plain_verifier(file: str, integers: bool, rows: int) -> None:
    where = {"answer": r"-?[0-9]+"} if integers else {}
    made = source(
        f"data:benchmarks/{file}.jsonl", data=data_folder(), where=where, fields={"meta": ["solution"]}
    )
    verifier = LastNumber(LastNumberOptions(), context())
    tasks = [made.get(id) for id in made.subjects()]
    failed = [t.id for t in tasks if verifier.verify(t, rollout(t.meta["solution"])).status != "pass"]
    assert not failed
    assert len(tasks) == rows


def test_a_file_that_changes_under_a_run_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, row("a"), row("b"))
    made = source(path)
    path.write_text(path.read_text().replace('"b"', '"c"'))
    with pytest.raises(DataError, match="no task 'set/b'"):
        made.get("set/b")
    path.write_text("x" * path.stat().st_size)
    with pytest.raises(DataError, match=r"set\.jsonl:2: changed while in use"):
        made.get("set/b")
