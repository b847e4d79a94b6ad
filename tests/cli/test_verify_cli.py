"""`harness verify`: a verdict a line on standard output, the agreement on standard error."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main


def write(path: Path, *rows: Any) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return path


def verdicts(capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, Any]], str]:
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err


def test_pairs_and_responses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        tmp_path / "cases.jsonl",
        {"id": "a", "gold": "\\frac12", "prediction": "0.5", "expected": True},
        {"gold": "7", "response": "<think>\\boxed{7}</think> So \\boxed{8}.", "expected": False},
        "",
        {"id": "c", "answer": 3, "responses": ["\\boxed{3}", "I do not know"]},
        {"id": "d", "gold": "9.8", "prediction": "9.85", "tolerance": 0.1, "expected": False},
        {"id": "e", "gold": "1", "prediction": "2", "expected": True, "suspect": "doubtful"},
    )
    assert main(["verify", str(path), "--verifier", "math"]) == 0
    rows, err = verdicts(capsys)
    assert [(row["id"], row["status"]) for row in rows] == [
        ("a", "pass"), (2, "fail"), ("c", "pass"), ("c", "no_answer"), ("d", "pass"), ("e", "fail"),
    ]  # fmt: skip
    assert rows[0]["extracted"] == "0.5"
    assert rows[0]["agrees"] is True
    assert "agreement: 2 of 3 labelled cases (66.7\u2009%)" in err
    assert "false positives: 1, false negatives: 0" in err
    assert "left out: 1" in err


def test_a_compressed_file_and_one_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cases.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps({"id": i, "gold": "1", "prediction": str(i)}) + "\n" for i in range(3))
    assert main(["verify", str(path), "-v", "math", "--id", "1"]) == 0
    rows, err = verdicts(capsys)
    assert [(row["id"], row["status"]) for row in rows] == [(1, "pass")]
    assert err == ""


def test_options_of_the_verifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "cases.jsonl", {"gold": "1", "prediction": "the answer is 1"})
    assert main(["verify", str(path), "-v", "math"]) == 0
    assert main(["verify", str(path), "-v", "math", "--set", "extraction=boxed"]) == 0
    rows, _ = verdicts(capsys)
    assert [row["status"] for row in rows] == ["pass", "no_answer"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{not json", "line 2: not JSON"),
        ("[1, 2]", "line 2: a row is an object, not list"),
        ({"prediction": "1"}, "line 2: field 'gold' is missing"),
        ({"gold": "1"}, "line 2: field 'prediction' is missing"),
        ({"gold": "1", "prediction": 5}, "line 2: field 'prediction' is 5"),
        ({"gold": {"a": 1}, "prediction": "1"}, "line 2: field 'gold' is {'a': 1}"),
        ({"gold": "1", "responses": ["1", 2]}, "line 2: field 'responses' holds 2"),
        ({"gold": "1", "prediction": "1", "expected": "yes"}, "line 2: field 'expected' is 'yes'"),
        ({"gold": "1", "prediction": "1", "finish": "end"}, "line 2: field 'finish' is 'end'"),
        ({"gold": "1", "prediction": "1", "tolerance": True}, "line 2: field 'tolerance' is True"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], row: Any, said: str) -> None:
    path = write(tmp_path / "cases.jsonl", {"gold": "1", "prediction": "1"}, row)
    assert main(["verify", str(path), "-v", "math"]) == 2
    assert said in capsys.readouterr().err


def test_what_cannot_be_judged_fails_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "cases.jsonl", {"gold": "", "prediction": "1", "expected": False})
    assert main(["verify", str(path), "-v", "math"]) == 1
    rows, err = verdicts(capsys)
    assert rows[0]["status"] == "infra_error"
    assert "the gold answer is empty" in rows[0]["reason"]
    assert "not judged: 1" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-v", "mth"], "did you mean 'math'"),
        (["-v", "math", "--set", "extracton=any"], "did you mean 'extraction'"),
        (["-v", "math", "--set", "extraction"], "OPTION=VALUE"),
        (["-v", "math", "--set", "thinking=maybe"], "thinking"),
        (["-v", "math", "--id", "nobody"], "no rows of id nobody"),
    ],
)
def test_bad_arguments(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    path = write(tmp_path / "cases.jsonl", {"gold": "1", "prediction": "1"})
    assert main(["verify", str(path), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path / "none.jsonl"), "-v", "math"]) == 2
    assert "none.jsonl: cannot be read" in capsys.readouterr().err


def test_bytes_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b'{"gold": "1", "prediction": "\xff\\ud800 \\\\boxed{1}"}\n')
    assert main(["verify", str(path), "-v", "math"]) == 0
    rows, _ = verdicts(capsys)
    assert rows[0]["status"] == "pass"
