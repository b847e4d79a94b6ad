"""The ledger: append-only, durable, readable after any crash."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import LedgerError
from harness.recording.ledger import SCHEMA, Ledger, cut_torn_line, read


def lines(path: Path) -> list[dict[str, Any]]:
    return list(read(path))


def step(stage: str, number: int, mark: str = "") -> dict[str, Any]:
    return {"metrics": {"stage": stage, "step": number}, "mark": mark}


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        ledger.append("opened", schema=SCHEMA)
        ledger.append("note", text="Größe \u2028 {}")
        ledger.commit()
    assert lines(tmp_path / "ledger.jsonl") == [
        {"t": "opened", "schema": SCHEMA},
        {"t": "note", "text": "Größe \u2028 {}"},
    ]


def test_a_line_is_readable_before_commit(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        ledger.append("note", n=1)
        assert lines(tmp_path / "l") == [{"t": "note", "n": 1}]


@given(cut=st.integers(0, 400))
def test_a_file_cut_anywhere_keeps_every_whole_line(cut: int, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("cut") / "l"
    with Ledger(path) as ledger:
        for n in range(10):
            ledger.append("note", n=n, text="x" * n)
    data = path.read_bytes()
    path.write_bytes(data[:cut])
    whole = data[:cut].count(b"\n")
    assert [line["n"] for line in read(path)] == list(range(whole))
    with Ledger(path) as ledger:
        ledger.append("note", n=99)
    assert [line["n"] for line in read(path)] == [*range(whole), 99]


def test_damage_before_the_end_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.write_bytes(b'{"t":"note"}\n{"t":"no\n{"t":"note"}\n')
    with pytest.raises(LedgerError, match="line 2 is damaged"):
        lines(path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l").write_bytes(b'{"t":"opened","schema":7}\n')
    with pytest.raises(LedgerError, match="ledger format 7"):
        lines(tmp_path / "l")


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l"), pytest.raises(LedgerError, match="another process"):
        Ledger(tmp_path / "l")


def test_a_disk_that_takes_no_more_is_one_error_and_every_whole_line_stays(tmp_path: Path) -> None:
    # A file that may not grow is what a process sees of a quota, and of a full disk.
    code = """
import resource, signal, sys
from harness.contract import LedgerError
from harness.recording.ledger import Ledger
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with Ledger(Path(sys.argv[1])) as ledger:
        for n in range(100):
            ledger.append("note", n=n, text="x" * 50)
except LedgerError as error:
    print(error)
"""
    path = tmp_path / "ledger.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, timeout=300
    )
    assert f"{path}: cannot be written: File too large" in done.stdout
    assert path.stat().st_size == 1000
    kept = [line["n"] for line in lines(path)]
    assert kept == list(range(len(kept)))
    with Ledger(path) as ledger:
        ledger.append("note", n=len(kept))
    assert [line["n"] for line in lines(path)] == list(range(len(kept) + 1))


def test_a_rewind_replaces_later_steps_of_its_stage_and_nothing_else(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        for n in (1, 2, 3):
            ledger.append("step", **step("a", n, "old"))
        ledger.append("evaluation", name="inside", stage="a", step=3)
        ledger.append("labels", stage="a")
        ledger.append("rewound", stage="a", step=1)
        for n in (2, 3):
            ledger.append("step", **step("a", n, "new"))
    kept = lines(tmp_path / "l")
    assert [(x["metrics"]["step"], x["mark"]) for x in kept if x["t"] == "step"] == [
        (1, "old"),
        (2, "new"),
        (3, "new"),
    ]
    assert [x["t"] for x in kept].count("evaluation") == 0
    assert [x["t"] for x in kept].count("labels") == 1
    assert len(list(read(tmp_path / "l", replaced=True))) == 8


def test_secrets_of_the_environment_never_reach_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-abcdef123456")
    monkeypatch.setenv("MY_PASSWORD", 'quo"te-and-\\slash')
    with Ledger(tmp_path / "l") as ledger:
        ledger.append("note", text="key sk-abcdef123456", deep=[{"x": 'quo"te-and-\\slash'}])
    text = (tmp_path / "l").read_text()
    assert "abcdef" not in text
    assert "slash" not in text
    assert json.loads(text)["deep"] == [{"x": "***"}]


def test_cutting_a_torn_line_says_how_much_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.write_bytes(b'{"t":"a"}\n{"t":')
    assert cut_torn_line(path) == 5
    assert cut_torn_line(path) == 0


def test_a_secret_that_is_a_common_word_leaves_the_lines_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DB_PASSWORD", "rollouts")
    monkeypatch.setenv("HF_KEY", "12345678")
    with Ledger(tmp_path / "l.jsonl") as ledger:
        ledger.append("rollouts", rollouts=12345678, said=["my rollouts", {"key": "x12345678"}])
    assert lines(tmp_path / "l.jsonl") == [
        {"t": "rollouts", "rollouts": 12345678, "said": ["my ***", {"key": "x***"}]}
    ]


def test_a_line_that_nests_deeper_than_python_goes_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "l"
    path.write_bytes(b'{"t":"note","text":' + b"[" * 3000 + b"\n")
    with pytest.raises(LedgerError, match="line 1 is damaged"):
        lines(path)


def test_half_a_character_is_kept_as_a_question_mark(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        ledger.append("note", text="a\ud800b", more=["\udfff", {"\ud800": "é"}])
    assert lines(tmp_path / "l") == [{"t": "note", "text": "a?b", "more": ["?", {"?": "é"}]}]
