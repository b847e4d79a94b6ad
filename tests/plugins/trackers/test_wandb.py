"""W&B's own reader gives back what a run's ledger holds, from the files of offline runs; nothing is sent."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.contract.protocols import RunInfo
from harness.contract.tracking import TrackedRun
from harness.recording.ledger import read
from harness.testing import TrackerConformance
from harness.testing.plugin import Build
from tests.support.places import ROOT
from tests.support.recipes import SIM, write
from tests.support.waiting import until

wandb = pytest.importorskip("wandb", reason="W&B is not installed")

ID = "0123456789abcdef0123456789abcdef"
SHORT = ("stages.0.repeat=2", "stages.0.max_steps=2", "stages.0.gates=[]", "stages.0.curriculum=uniform",
         "checkpoints.every_steps=1")  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No key and no setting of whoever runs the tests, and none left behind."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / "netrc"))
    # Set before, so that what the tracker sets is undone, too.
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A server of W&B that takes connections and answers none; proxies of others lead to it, too."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("WANDB_BASE_URL", url)
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, url)
        yield server


def asked(server: socket.socket) -> bool:
    """Whether anybody has connected to a server."""
    server.setblocking(False)
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def parts(folder: Path) -> list[Path]:
    """The files of a run, one for each time that it was begun or went on."""
    return sorted(folder.glob("wandb/*/run-*.wandb"), key=lambda path: path.stat().st_mtime_ns)


def records(path: Path) -> list[dict[str, Any]]:
    """What W&B's reader says of a file."""
    from wandb.util import get_core_path

    done = subprocess.run(
        [get_core_path(), "leet", "inspect", "--no-observability", "--json", "--run-file", str(path),
         str(path.parents[1])],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows(folder: Path) -> list[dict[str, Any]]:
    """All rows of a run's history."""
    told = [record for path in parts(folder) for record in records(path)]
    return [record["history"]["item"] for record in told if record["type"] == "history"]


def opened(path: Path) -> dict[str, Any]:
    """What a file says of its run."""
    (run,) = [record["run"] for record in records(path) if record["type"] == "run"]
    return dict(run)


def services() -> list[int]:
    """W&B's processes that came from this test or from processes of it, by its home."""
    mark, ours = f"HOME={os.environ['HOME']}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, variables = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:  # ended meanwhile
            continue
        if command.split(b"\0")[0].endswith(b"/wandb-core") and mark in variables.split(b"\0"):
            ours.append(int(process.name))
    return ours


class TestWandb(TrackerConformance):
    name = "wandb"

    def shown(self, run: TrackedRun) -> dict[int, float]:
        return {int(row["step"]): row["pass_rate"] for row in rows(run.info.folder)}


def tracked(folder: Path, standing: int = 0, identity: str = ID) -> TrackedRun:
    facts: dict[str, str | int] = {"recipe": "short", "arm": "main", "seed": 3}
    return TrackedRun(RunInfo(folder, "short", "main", 3), identity, standing, facts)


def test_a_resumed_run_goes_on_in_the_same_run_of_wandb(harness_build: Build, tmp_path: Path) -> None:
    """Its files, which `wandb sync` sends in order, have one id; an evaluation of an earlier step is kept."""
    first = harness_build("trackers", "wandb")
    first.start(tracked(tmp_path))
    for step in range(4):
        first.log(step, {"pass_rate": step / 8})
    first.close(finished=False)
    second = harness_build("trackers", "wandb")
    second.start(tracked(tmp_path, 3))
    second.log(3, {"items/pass@4": 0.5})
    second.log(4, {"pass_rate": 0.5})
    second.close(finished=True)
    begun, again = parts(tmp_path)
    for path in (begun, again):
        run = opened(path)
        assert (run["run_id"], run["project"], run["run_group"]) == (ID, "short", "main")
        assert (run["display_name"], run["resume"]) == ("main, seed 3", True)
        facts = {k: v for k, v in run["config"]["update"].items() if k != "_wandb"}
        assert facts == {"recipe": "short", "arm": "main", "seed": 3}
    shown = [{k: v for k, v in row.items() if not k.startswith("_")} for row in rows(tmp_path)]
    assert shown == [{"step": n, "pass_rate": n / 8} for n in range(4)] + [
        {"step": 3, "items/pass@4": 0.5},
        {"step": 4, "pass_rate": 0.5},
    ]
    codes = [
        [r["exit"].get("exit_code", 0) for r in records(p) if r["type"] == "exit"] for p in (begun, again)
    ]
    assert codes == [[1], [0]]


def test_a_step_that_comes_again_is_kept(harness_build: Build, tmp_path: Path) -> None:
    """W&B itself ignores what is logged at a step before its last one, and keeps one value of a step."""
    tracker = harness_build("trackers", "wandb")
    tracker.start(tracked(tmp_path))
    for step, name in ((2, "loss"), (1, "late"), (1, "later"), (1, "late"), (3, "loss")):
        tracker.log(step, {name: 1.0})
    tracker.close(finished=True)
    shown = [sorted(k for k in row if not k.startswith("_")) for row in rows(tmp_path)]
    assert shown == [["loss", "step"], ["late", "later", "step"], ["late", "step"], ["loss", "step"]]
    assert [row["step"] for row in rows(tmp_path)] == [2, 1, 1, 3]


def test_without_a_key_nothing_is_sent_and_no_process_stays(
    harness_build: Build, tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_ERROR_REPORTING")
    hooks = (sys.exit, sys.excepthook)
    one, other = harness_build("trackers", "wandb"), harness_build("trackers", "wandb")
    one.start(tracked(tmp_path / "one"))
    other.start(tracked(tmp_path / "other", identity=ID[::-1]))
    one.log(0, {"pass_rate": 0.5})
    one.close(finished=True)
    assert len(services()) == 1, "the other run needs it"
    other.log(0, {"pass_rate": 0.5})
    other.close(finished=True)
    assert services() == []
    assert "WANDB_SERVICE" not in os.environ
    assert (sys.exit, sys.excepthook) == hooks
    assert not asked(listener)
    assert [len(rows(tmp_path / name)) for name in ("one", "other")] == [1, 1]


@pytest.mark.parametrize(
    ("option", "variables", "mode"),
    [
        (None, {}, "offline"),
        (None, {"WANDB_API_KEY": "k" * 40}, "online"),
        (None, {"WANDB_API_KEY": "k" * 40, "WANDB_MODE": "offline"}, None),
        ("offline", {"WANDB_API_KEY": "k" * 40}, "offline"),
        ("online", {}, "online"),
    ],
)
def test_the_mode_is_the_options_or_wandbs_own_or_follows_the_key(
    option: str | None, variables: dict[str, str], mode: str | None,
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    from harness_trackers.wandb import default_mode

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    try:
        assert (option or default_mode()) == mode
    finally:
        wandb.teardown()
    assert not asked(listener), "a key is looked up on this machine"


def harness(tmp_path: Path, tracker: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A study of one run by the command, in a process of its own."""
    changes = [word for change in (*SHORT, f"report.trackers=[{tracker}]") for word in ("--set", change)]
    return subprocess.run(
        [sys.executable, "-m", "harness", "run", str(write(tmp_path, SIM)), *changes],
        cwd=tmp_path, env={**os.environ, **variables, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip


def test_a_run_by_the_command_shows_the_ledgers_numbers(tmp_path: Path, listener: socket.socket) -> None:
    done = harness(tmp_path, '"wandb"')
    assert done.returncode == 0, done.stderr
    (ledger,) = tmp_path.rglob("ledger.jsonl")
    steps = [line["metrics"] for line in read(ledger) if line["t"] == "step"]
    shown = [row for row in rows(ledger.parent) if "pass_rate" in row]
    assert [row["step"] for row in shown] == [1, 2, 3, 4]
    for name in ("pass_rate", "reward_mean", "tokens", "grad_norm"):
        assert [row[name] for row in shown] == pytest.approx([line[name] for line in steps])
    evaluations = [line for line in read(ledger) if line["t"] == "evaluation"]
    assert "Traceback" not in done.stderr
    means = [row["items/mean"] for row in rows(ledger.parent) if "items/mean" in row]
    assert means == pytest.approx([line["scores"]["mean"] for line in evaluations])
    assert not asked(listener)
    assert services() == []


def test_a_server_that_cannot_be_reached_harms_no_run(tmp_path: Path) -> None:
    """Nothing listens there; W&B gives up after two seconds, and the run's log and ledger say so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = harness(
        tmp_path, '{name = "wandb", mode = "online"}', WANDB_API_KEY="k" * 40, WANDB_INIT_TIMEOUT="2",
        WANDB_BASE_URL=f"http://127.0.0.1:{port}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (ledger,) = tmp_path.rglob("ledger.jsonl")
    lines = list(read(ledger))
    assert [line["t"] for line in lines].count("finished") == 1
    (failure,) = [line for line in lines if line["t"] == "plugin_failed"]
    assert (failure["plugin"], failure["event"]) == ("wandb", "tracking")
    assert failure["reason"]
    assert services() == []


KILLED = """
import sys
from pathlib import Path
from harness_trackers.options import WandbOptions
from harness_trackers.wandb import Wandb
from tests.plugins.trackers.test_wandb import tracked
from tests.support.builders import context
tracker = Wandb(WandbOptions(), context())
tracker.start(tracked(Path(sys.argv[1])))
tracker.log(0, {"pass_rate": 0.5})
print("started", flush=True)
sys.stdin.read()
"""


def test_no_process_stays_after_a_run_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        assert len(services()) == 1
        process.kill()
    until(lambda: not services(), what="wandb-core ends with its run")
