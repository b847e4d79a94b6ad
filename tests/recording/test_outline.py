"""The outline of a ledger answers as reading the ledger does, whatever state either of them is in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.contract.errors import LedgerError
from harness.readout import read_run
from harness.readout.samples import Wanted, samples, step_sizes
from harness.recording.briefs import brief_of
from harness.recording.history import read_history
from harness.recording.ledger import SCHEMA, Ledger, read, read_raw
from harness.recording.outline import FIRST, Entry, Outline, Texts
from tests.support.studies import make_study

#: So small that ledgers of a few lines have blocks.
BLOCK = 100

STAGES = st.sampled_from(["a", "b"])
STEPS = st.integers(0, 4)
TEXT = st.text("xyß", max_size=200)


def opened() -> dict[str, Any]:
    return {"t": "opened", "schema": SCHEMA}


def group(stage: str, step: int, text: str = "", **more: Any) -> dict[str, Any]:
    columns = {"task": "t", "subject": "s", "step": step, "statuses": ["pass", "fail"], "reasons": [text, ""]}
    return {"t": "group", "stage": stage, "kept": True, "group": columns | more}


def sample(stage: str, step: int, text: str = "", number: int = 0) -> dict[str, Any]:
    rollout = {
        "key": {"run": "r", "task": "t", "sample": number, "stage": "h"},
        "text": text,
        "finish": "stop",
    }
    verdict = {"status": "pass", "score": 1.0, "extracted": None, "reason": "", "verifier": "math"}
    place = {"name": "final", "heldout": "h", "stage": stage, "step": step}
    return {"t": "sample", **place, "rollout": rollout, "verdict": verdict, "tokens": 3, "tail": False}


def verdict(number: int, text: str = "") -> dict[str, Any]:
    judgement = {"status": "fail", "score": 0.0, "extracted": "7", "reason": text, "parts": [text]}
    return {"t": "verdict", "scoring": 1, "heldout": "h", "task": "t", "sample": number, "verdict": judgement}


def step(stage: str, number: int, text: str = "") -> dict[str, Any]:
    return {"t": "step", "metrics": {"stage": stage, "step": number}, "text": text}


LINES = st.lists(
    st.one_of(
        st.builds(group, STAGES, STEPS, TEXT),
        st.builds(sample, STAGES, STEPS, TEXT),
        st.builds(verdict, STEPS, TEXT),
        st.builds(step, STAGES, STEPS, TEXT),
        st.builds(lambda stage, step: {"t": "rewound", "stage": stage, "step": step}, STAGES, STEPS),
        st.builds(lambda text: {"t": "note", "text": text}, TEXT),
        # What has not its type's form is nobody's to refuse before it is read.
        st.sampled_from([{"t": "group", "group": {}}, {"t": "sample"}, {"t": "verdict", "verdict": {}}]),
    ),
    max_size=40,
)


def written(lines: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def scanned(ledger: Path) -> list[tuple[str, bytes]]:
    """What the outline has to say: lines that stand, those with texts as briefs."""
    return [(kind, brief_of(kind, raw) or raw) for kind, raw in read_raw(ledger)]


def told(ledger: Path, block: int = BLOCK) -> list[tuple[str, bytes]]:
    """What it says; lines that no block covers are made briefs, too, so that the two compare."""
    return [(kind, brief_of(kind, raw) or raw) for kind, raw in Outline(ledger, block).read()]


def whole(ledger: Path) -> list[bytes]:
    with Texts(ledger) as texts:
        return [texts.line(entry) for entry in Outline(ledger, BLOCK).entries()]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Forty steps, ten of them done again."""
    path = tmp_path / "ledger.jsonl"
    steps = [line for n in range(40) for line in (group("a", n, "x" * 90), step("a", n))]
    again = [{"t": "rewound", "stage": "a", "step": 29}, *(step("a", n, "again") for n in range(30, 40))]
    path.write_bytes(written([opened(), *steps, *again]))
    return path


@given(lines=LINES, cut=st.integers(0, 200), grown=st.integers(0, 40))
def test_it_says_what_a_scan_says_of_any_ledger_that_grows_and_is_torn(
    lines: list[dict[str, Any]], cut: int, grown: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = tmp_path_factory.mktemp("run") / "ledger.jsonl"
    first, content = written([opened(), *lines[:grown]]), written([opened(), *lines])
    ledger.write_bytes(first)
    assert told(ledger) == scanned(ledger)
    ledger.write_bytes(content[: max(len(first), len(content) - cut)])
    assert told(ledger) == scanned(ledger)
    assert whole(ledger) == [raw for _, raw in read_raw(ledger)]


@given(lines=LINES, cut=st.integers(0, 3000), flip=st.integers(0, 3000))
def test_it_says_what_a_scan_says_when_it_is_torn_or_damaged_itself(
    lines: list[dict[str, Any]], cut: int, flip: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = tmp_path_factory.mktemp("run") / "ledger.jsonl"
    ledger.write_bytes(written([opened(), *lines]))
    outline = Outline(ledger, BLOCK)
    outline.extend()
    if outline.path.exists():
        content = bytearray(outline.path.read_bytes())
        content[flip % len(content)] ^= 1
        outline.path.write_bytes(content[: len(content) - cut % len(content)])
    assert told(ledger) == scanned(ledger)


@given(before=LINES, after=LINES)
def test_it_says_what_a_scan_says_when_it_is_another_ledgers(
    before: list[dict[str, Any]], after: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    ledger = tmp_path_factory.mktemp("run") / "ledger.jsonl"
    ledger.write_bytes(written([opened(), *before]))
    told(ledger)
    ledger.write_bytes(written([opened(), *after]))
    assert told(ledger) == scanned(ledger)


def test_readers_find_the_same_with_and_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(tmp_path, per_stratum=4)
    run = study / "staged" / "seed-0"
    ledger = run / "ledger.jsonl"

    def told() -> list[Any]:
        read = read_run(run)
        return [
            read.steps, read.drawn, read.evaluations, read.labels, read.stages, read.spent, step_sizes(run),
            list(samples(run, Wanted(step=3))), read_history(ledger),
        ]  # fmt: skip

    without = told()
    assert not ledger.with_suffix(".outline").exists()
    monkeypatch.setattr("harness.recording.outline.BLOCK", 2000)
    assert told() == without
    assert len(covered(ledger.with_suffix(".outline"))) > 3
    assert told() == without


def covered(outline: Path) -> list[tuple[int, int]]:
    """The part of the ledger that each block covers."""
    lines = outline.read_bytes().splitlines(keepends=True)
    blocks = [json.loads(line[9:]) for line in lines if line.endswith(b"\n")]
    return [(block["start"], block["to"]) for block in blocks]


def test_it_is_added_to_and_never_written_again(ledger: Path) -> None:
    told(ledger)
    before = ledger.with_suffix(".outline").read_bytes()
    with ledger.open("ab") as file:
        file.write(written(step("b", n) for n in range(20)))
    told(ledger)
    after = ledger.with_suffix(".outline").read_bytes()
    assert after.startswith(before)
    assert len(after) > len(before)
    parts = covered(ledger.with_suffix(".outline"))
    assert [start for start, _ in parts] == [0, *(to for _, to in parts[:-1])]


def test_the_writer_adds_to_it_at_each_commit(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger._outline = Outline(path, BLOCK)
        for n in range(100):
            ledger.append("step", metrics={"stage": "a", "step": n})
            ledger.commit()
            covers = covered(path.with_suffix(".outline")) if path.with_suffix(".outline").exists() else []
            size = path.stat().st_size
            assert size - covers[-1][1] < BLOCK if covers else size < FIRST * BLOCK
        assert len(covers) > 3


WRITER = """
import sys
from pathlib import Path
import harness.recording.outline as outline
from harness.recording.ledger import Ledger

outline.BLOCK = 100
ledger = Ledger(Path(sys.argv[1]))
for number in range(100_000):
    ledger.append("step", metrics={"stage": "a", "step": number}, text="x" * 50)
    ledger.commit()
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_one_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ledger.jsonl"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(60):
            assert writer.stdout.readline()
        writer.kill()
    parts = covered(path.with_suffix(".outline"))
    assert len(parts) > 20
    assert told(path) == scanned(path)
    monkeypatch.setattr("harness.recording.outline.BLOCK", BLOCK)
    with Ledger(path) as ledger:
        for number in range(20):
            ledger.append("step", metrics={"stage": "b", "step": number})
    assert told(path) == scanned(path)
    assert covered(path.with_suffix(".outline"))[: len(parts)] == parts


def test_what_it_covers_is_not_read(ledger: Path) -> None:
    """Damage there is found by who reads the line itself."""
    expected = told(ledger)
    content = ledger.read_bytes()
    ledger.write_bytes(content.replace(b'"kept": true', b'"kept": tru]', 1))
    assert told(ledger) == expected
    ledger.with_suffix(".outline").unlink()
    with pytest.raises(LedgerError, match="line 2 is damaged"):
        told(ledger)


def test_a_line_that_no_block_covers_is_refused_if_it_is_damaged(ledger: Path) -> None:
    told(ledger)
    with ledger.open("ab") as file:
        file.write(b"{]\n" + written([step("b", 1)]))
    with pytest.raises(LedgerError, match="is damaged"):
        told(ledger)


def test_a_short_ledger_has_none(ledger: Path) -> None:
    assert told(ledger, block=ledger.stat().st_size // FIRST + 1) == scanned(ledger)
    assert list(ledger.parent.iterdir()) == [ledger]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_can_only_be_read_is_read(ledger: Path) -> None:
    ledger.parent.chmod(0o500)
    try:
        assert told(ledger) == scanned(ledger)
    finally:
        ledger.parent.chmod(0o700)


def test_an_outline_that_cannot_be_written_is_done_without(ledger: Path) -> None:
    ledger.with_suffix(".outline").mkdir()
    assert told(ledger) == scanned(ledger)


NO_ROOM = """
import resource, signal, sys
from pathlib import Path
from harness.recording.outline import Outline
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
print(len(list(Outline(Path(sys.argv[1]), int(sys.argv[2])).read())))
"""


def test_without_room_for_it_the_ledger_is_read(ledger: Path) -> None:
    outline = Outline(ledger, BLOCK)
    outline.path.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", NO_ROOM, str(ledger), str(BLOCK)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert int(done.stdout) == len(list(read_raw(ledger)))
    assert outline.path.stat().st_size <= 64


def test_an_outline_of_a_ledger_that_is_gone_is_no_ledger(ledger: Path) -> None:
    outline = Outline(ledger, BLOCK)
    assert list(outline.entries())
    ledger.unlink()
    with pytest.raises(LedgerError, match="there is no ledger here"):
        list(Outline(ledger, BLOCK).entries())


def test_there_is_no_outline_of_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no ledger"):
        list(Outline(tmp_path / "ledger.jsonl").entries())


def test_replaced_steps_come_back_if_they_are_asked_for(ledger: Path) -> None:
    kinds = [entry.kind for entry in Outline(ledger, BLOCK).entries(replaced=True)]
    assert kinds == [line["t"] for line in read(ledger, replaced=True)]


def test_memory_does_not_grow_with_the_ledger(tmp_path: Path) -> None:
    """At most a block's lines are held at a time."""
    import tracemalloc

    def peak(lines: int) -> int:
        path = tmp_path / f"{lines}.jsonl"
        with path.open("wb") as file:
            for n in range(lines):
                file.write(written([sample("", 0, "x" * 500, n)]))
        tracemalloc.start()
        count = sum(1 for _ in Outline(path, 20_000).entries())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == lines
        return most

    small, large = peak(500), peak(4000)
    # The headers of the blocks stay: some hundred bytes for each 20 kB.
    assert large < small + 300 * (4000 * 700 // 20_000)


def test_entries_say_where_lines_are(ledger: Path) -> None:
    first = next(iter(Outline(ledger, BLOCK).entries()))
    assert first == Entry("opened", 0, len(written([opened()])), None, 0, None)
