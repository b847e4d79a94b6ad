"""Trackio's own storage gives back what a run's ledger holds."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from harness.contract.errors import HarnessError
from harness.contract.protocols import RunInfo
from harness.contract.tracking import TrackedRun
from harness.recording.ledger import read
from harness.testing import TrackerConformance
from harness.testing.plugin import Build
from tests.support.recipes import SIM, write

pytestmark = pytest.mark.skipif(find_spec("trackio") is None, reason="Trackio is not installed")

ID = "0123456789abcdef0123456789abcdef"
SHORT = ("stages.0.repeat=2", "stages.0.max_steps=2", "stages.0.gates=[]", "stages.0.curriculum=uniform",
         "checkpoints.every_steps=1")  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No token of whoever runs the tests, of whom Trackio would ask the Hub; none of their settings."""
    from huggingface_hub import constants

    for name in [n for n in os.environ if n.startswith(("TRACKIO_", "HF_", "HUGGING_FACE_"))]:
        if name != "TRACKIO_DIR":
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("hub")
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What all HTTP goes to; it takes connections and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{server.getsockname()[1]}")
        yield server


def asked(server: socket.socket) -> bool:
    """Whether anybody has connected to a server."""
    server.setblocking(False)
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def runs(project: str = "short") -> dict[str, Any]:
    """The runs of a project, by name."""
    import trackio

    return {run.name: run for run in trackio.Api().runs(project)}


def rows(run: Any) -> list[dict[str, Any]]:
    """All that Trackio holds of a run."""
    from trackio.sqlite_storage import SQLiteStorage

    return list(SQLiteStorage.get_logs(run.project, run.name, run_id=run.id))


class TestTrackio(TrackerConformance):
    name = "trackio"

    def shown(self, run: TrackedRun) -> dict[int, float]:
        (mine,) = [held for name, held in runs().items() if name.endswith(run.id[:8])]
        return {row["step"]: row["pass_rate"] for row in rows(mine) if "pass_rate" in row}


def tracked(folder: Path, recipe: str, standing: int = 0) -> TrackedRun:
    facts: dict[str, str | int] = {"recipe": recipe, "arm": "main", "seed": 3}
    return TrackedRun(RunInfo(folder, recipe, "main", 3), ID, standing, facts)


def test_a_resumed_run_goes_on_in_the_same_run_of_trackio(harness_build: Build, tmp_path: Path) -> None:
    """Every value is kept, those of a step that is done again and of an earlier one, too."""
    first = harness_build("trackers", "trackio")
    first.start(tracked(tmp_path, "resumed"))
    for step in range(4):
        first.log(step, {"pass_rate": step / 8, "reward/length": -1.0})
    first.close(finished=False)
    second = harness_build("trackers", "trackio")
    second.start(tracked(tmp_path, "resumed", 2))
    second.log(3, {"pass_rate": 3 / 8})
    second.log(2, {"items/pass@4": 0.5})
    second.log(4, {"pass_rate": 0.5})
    second.close(finished=True)
    ((name, run),) = runs("resumed").items()
    assert name == "main, seed 3, 01234567"
    facts = {k: v for k, v in run.config.items() if not k.startswith("_")}
    assert (facts, run.config["_Group"]) == ({"recipe": "resumed", "arm": "main", "seed": 3}, "main")
    shown = [
        (row["step"], {k: v for k, v in row.items() if k not in ("step", "timestamp")}) for row in rows(run)
    ]
    told = [(n, {"pass_rate": n / 8, "reward/length": -1.0}) for n in range(4)]
    told += [(3, {"pass_rate": 3 / 8}), (2, {"items/pass@4": 0.5}), (4, {"pass_rate": 0.5})]
    assert sorted(shown, key=repr) == sorted(told, key=repr)


def test_the_option_names_the_project(harness_build: Build, tmp_path: Path) -> None:
    tracker = harness_build("trackers", "trackio", project="chosen")
    tracker.start(tracked(tmp_path, "other"))
    tracker.log(1, {"pass_rate": 0.5})
    tracker.close(finished=True)
    assert list(runs("chosen")) == ["main, seed 3, 01234567"]


def test_a_database_that_cannot_be_opened_fails_at_once(harness_build: Build, tmp_path: Path) -> None:
    """Trackio itself warns and goes on as if all was well."""
    from trackio.sqlite_storage import SQLiteStorage

    SQLiteStorage.get_project_db_path("unopened").mkdir(parents=True)
    tracker = harness_build("trackers", "trackio")
    with pytest.raises(HarnessError, match=r"unopened\.db cannot be read \(unable to open database file\)"):
        tracker.start(tracked(tmp_path, "unopened"))


def test_rows_that_trackio_could_not_write_are_missed_in_the_end(
    harness_build: Build, tmp_path: Path
) -> None:
    """It warns of them, and goes on; the step that is done again is in the database from before."""
    from trackio.sqlite_storage import SQLiteStorage

    first = harness_build("trackers", "trackio")
    first.start(tracked(tmp_path, "refusing"))
    for step in range(4):
        first.log(step, {"pass_rate": 0.5})
    first.close(finished=False)
    with closing(sqlite3.connect(SQLiteStorage.get_project_db_path("refusing"))) as database:
        database.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON metrics BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
        database.commit()
    second = harness_build("trackers", "trackio")
    second.start(tracked(tmp_path, "refusing", 2))
    second.log(3, {"pass_rate": 0.5})
    with pytest.raises(HarnessError, match=r"refusing\.db holds 4 of the run's 5 rows"):
        second.close(finished=True)


def test_a_run_by_the_command_shows_the_ledgers_numbers(tmp_path: Path, listener: socket.socket) -> None:
    changes = [word for change in (*SHORT, 'report.trackers=["trackio"]') for word in ("--set", change)]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", str(write(tmp_path, SIM)), *changes],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (ledger,) = tmp_path.rglob("ledger.jsonl")
    lines = list(read(ledger))
    (run,) = runs("small-sim").values()
    held = rows(run)
    steps = [line["metrics"] for line in lines if line["t"] == "step"]
    for name in ("pass_rate", "reward_mean", "tokens", "grad_norm"):
        shown = [(row["step"], row[name]) for row in held if name in row]
        assert [step for step, _ in shown] == [1, 2, 3, 4]
        assert [value for _, value in shown] == pytest.approx([line[name] for line in steps])
    means = [row["items/mean"] for row in held if "items/mean" in row]
    assert means == pytest.approx([line["scores"]["mean"] for line in lines if line["t"] == "evaluation"])
    assert not [line for line in lines if line["t"] == "plugin_failed"]
    assert not asked(listener)
