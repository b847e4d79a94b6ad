"""What the trainer `verl` does when its job fails: real processes, with a stand-in for verl in them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from harness_verl import job as job_module
from harness_verl.hub import Hub
from harness_verl.job import RayJob, check
from harness_verl.options import VerlOptions

from harness.contract.errors import DataError, HarnessError, RecipeError, TrainingError
from harness.plugging.plugins import Plugins
from harness.recording.ledger import read
from harness.testing.workbench import Workbench
from harness.training.session import StageSession
from harness.training.watchdog import TimeUp, Watchdog
from tests.support.runs import make_study, start_arm
from tests.support.verl import stand_in_python
from tests.support.waiting import alive


@pytest.fixture
def bench(harness_plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    stand_in_python(tmp_path)
    return Workbench(tmp_path, harness_plugins)


def recipe(resources: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    stage = {"name": "s", "rollout": {"n": 4, "batch": 2, "max_tokens": 6}, "max_steps": 4}
    return {
        "name": "faults",
        "model": {"name": "chain-334k", "loader": "packaged", "prompt": "raw"},
        "trainer": {"name": "verl", "python": "python", **options},
        "tasks": {"train": [{"name": "arithmetic-chain", "strata": "2-4"}]},
        "resources": resources or {},
        "checkpoints": {"every_steps": 2, "min_free_gb": 0.05},
        "report": {"reporters": []},
        "stages": [stage],
    }


#: Four requests, twice inside the stage.
INSIDE: dict[str, Any] = {
    "every_steps": 2,
    "each_stage": False,
    "heldout": [
        {
            "name": "chains",
            "tasks": [{"name": "arithmetic-chain", "strata": "2-3", "split": "heldout"}],
            "per_stratum": 2,
            "max_tokens": 6,
        }
    ],
}

#: The same as a file.
TOML = """
name = "faults"
model = { name = "chain-334k", loader = "packaged", prompt = "raw" }
trainer = { name = "verl", python = "python" }
tasks = { train = [{ name = "arithmetic-chain", strata = "2-4" }] }
checkpoints = { every_steps = 2, min_free_gb = 0.05 }
report = { reporters = [] }
[[stages]]
name = "s"
rollout = { n = 4, batch = 2, max_tokens = 6 }
max_steps = 4
"""


@pytest.mark.parametrize(
    ("fault", "resources", "words"),
    [
        ("die:3", {}, r"the verl job died \(exit code 7\), at 'in update'"),
        ("hang:3", {"stall_seconds": 10}, r"made no progress for 1\d s.* at 'in update'"),
        ("hang:3", {"stage_seconds": 20}, r"resources.stage_seconds: .*longer than 20 s.* at 'in update'"),
        ("drop:3", {"stall_seconds": 10}, r"made no progress for 1\d s.* at 'in generate'"),
        ("odd:3", {}, r"lost samples: [\s\S]*a reward worker has no verdict: Expected `int`, got `str`"),
        ("abort:3", {}, "verl answered none of the step's 8 requests: RuntimeError: the server is gone"),
        ("pause:3", {}, "none of the step's 8 requests: .* gave the request up after 0 tokens: aborted"),
        ("cut:3", {}, "none of the step's 8 requests: .* gave the request up after 1 tokens: aborted"),
        ("nan:3", {}, r"none of the step's 8 requests: log-probabilities are not finite \(nan\)"),
        ("nan-gradient:3", {}, r"grad_norm is nan at step 3 of stage 's'\s+next: lower the learning rate"),
        ("infinite-loss:3", {}, "loss is inf at step 3 of stage 's'"),
        ("rounded:3", {}, r"exported '.*' as F16: small updates would be rounded away"),
        ("nothing:3", {}, "verl exported no weights"),
    ],
)  # fmt: skip
def test_a_failing_job_is_a_named_error_and_the_run_goes_on_after_it(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, fault: str, resources: dict[str, Any], words: str
) -> None:
    monkeypatch.setenv("FAKE_VERL", fault)
    with pytest.raises(TrainingError, match=words) as raised:
        bench.run(recipe(resources))
    message = str(raised.value)
    assert "stage 's'" in message
    if resources:
        # What the job printed last, and all of it in a file that is still there.
        said = message.partition("it said last:")[2]
        assert " at step 2" in said
        (log,) = re.findall(r"its whole log is (\S+\.txt)", said)
        assert "generate at step 0" in Path(log).read_text()
    assert jobs(bench.folder) == []
    # What it left is whole: the same run, with nothing wrong any more, ends with all its steps.
    monkeypatch.delenv("FAKE_VERL")
    # The limits are of the failure alone; the recipe of a run must stay what it was.
    monkeypatch.setattr(Watchdog, "armed", False)
    monkeypatch.setattr(RayJob, "__init__", unlimited(RayJob.__init__))
    record = bench.run(recipe(resources))
    assert [line["metrics"]["step"] for line in record.lines("step")] == [1, 2, 3, 4]
    assert record.lines("finished")


def unlimited(init: Callable[..., None]) -> Callable[..., None]:
    """A job that may take as long as a busy machine lets it."""

    def start(*arguments: Any) -> None:
        *before, _, where = arguments
        init(*before, None, where)

    return start


def test_a_refused_configuration_is_said_in_verls_words(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VERL", "refuse")
    with pytest.raises(RecipeError, match="verl refuses its configuration: ValueError: no such thing"):
        bench.run(recipe())


def test_a_clusters_workers_find_packages_by_ray_alone(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path of this machine would hide what Ray unpacks on another."""
    given: list[dict[str, Any]] = []

    def start(job: RayJob, *arguments: Any) -> None:
        given.append(arguments[3]["settings"]["ray_kwargs.ray_init.runtime_env"])
        real(job, *arguments)

    real = RayJob.__init__
    monkeypatch.setattr(RayJob, "__init__", start)
    bench.run(recipe(ray_address="127.0.0.1:1", listen="127.0.0.1"))
    (runtime,) = given
    assert "PYTHONPATH" not in runtime["env_vars"]
    assert {"HARNESS_VERL_ADDRESS", "HARNESS_VERL_TOKEN"} <= set(runtime["env_vars"])
    names = [Path(path).name for path in runtime["py_modules"]]
    assert names == ["harness_verl_worker", "harness_verl_cpu", "harness_vllm_cpu"]


def test_an_environment_without_verl_is_said_so(bench: Workbench, tmp_path: Path) -> None:
    bare = program(tmp_path / "bare", f'exec {sys.executable} -S "$@"')
    with pytest.raises(RecipeError, match=f"no verl in {bare}") as raised:
        bench.run(recipe(python="bare"))
    assert "resources.python" in str(raised.value)
    assert "HARNESS_VERL_PYTHON" in str(raised.value)
    # Before anything was measured or evaluated.
    assert not [line["t"] for line in read(bench.folder / "run" / "ledger.jsonl")]
    spec = {"overrides": [], "settings": {}, "optimizer": None}
    with pytest.raises(RecipeError, match=rf"no verl in {bare}: .*No module named"):
        check(str(bare), spec, {}, "here")


def test_a_check_without_an_answer_is_an_error(tmp_path: Path) -> None:
    silent = program(tmp_path / "silent", "echo something else; echo and why >&2")
    with pytest.raises(RecipeError, match=r"printed no configuration of verl's: and why"):
        check(str(silent), {}, {}, "here")
    slow = program(tmp_path / "slow", "exec sleep 600")
    with pytest.raises(RecipeError, match=r"has not checked its configuration in 0\.5 s"):
        check(str(slow), {}, {}, "here", seconds=0.5)


def program(path: Path, lines: str) -> Path:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


def test_an_interpreter_that_is_not_there_is_refused(bench: Workbench) -> None:
    with pytest.raises(HarnessError, match=r"no interpreter at .*nowhere"):
        bench.run(recipe(python="nowhere"))


def test_single_aborts_are_masked_not_zero(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VERL", "abort-one")
    record = bench.run(recipe())
    for call in record.of("collect"):
        for group in call.value.groups:
            assert (group.rewards[0], group.advantages[0]) == (None, 0.0)
            assert None not in group.rewards[1:]
            assert group.rollouts[0].reason == "RuntimeError: the server is gone"


@pytest.mark.parametrize(
    ("fault", "lost"), [("", 0), ("answers-pause", 1), ("answers-cut", 1), ("answers-abort", 1)]
)
def test_an_evaluation_inside_a_stage_scores_no_request_that_was_given_up(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, fault: str, lost: int
) -> None:
    monkeypatch.setenv("FAKE_VERL", fault)
    record = bench.run(recipe() | {"evaluation": INSIDE})
    inside = [line for line in record.lines("evaluation") if line["name"] == "inside"]
    assert inside
    for line in inside:
        assert sum(counts["infra"] for counts in line["problems"].values()) == lost
        assert sum(counts["samples"] for counts in line["problems"].values()) == 4 - lost
        assert sum(counts["no_answer"] for counts in line["problems"].values()) == 0
        assert line.get("refused", "").startswith("1 of 4 samples are missing" if lost else "")
        assert bool(line["scores"]) is not bool(lost)


def test_a_verdict_that_comes_late_is_a_verdict(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """`reward_seconds` is how long verl's side waits, and decides on nothing."""
    real = StageSession.submit

    def submit(session: StageSession, rollouts: Any) -> Any:
        time.sleep(1)
        return real(session, rollouts)

    monkeypatch.setattr(StageSession, "submit", submit)
    record = bench.run(recipe(reward_seconds=0.1))
    groups = [group for call in record.of("collect") for group in call.value.groups]
    assert groups
    assert all(None not in group.rewards for group in groups)


def test_a_killed_driver_leaves_nothing_and_its_run_goes_on(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.folder / "recipe.toml"
    path.write_text(TOML)
    study = make_study(path, bench.folder / "runs").folder
    monkeypatch.setenv("FAKE_VERL", "hang:3")
    process = start_arm(study)
    ledger = study / "main" / "seed-0" / "ledger.jsonl"
    end = time.monotonic() + 300
    while not (ledger.exists() and '"t":"checkpoint"' in ledger.read_text()):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)
    folder = Path(os.readlink(f"/proc/{keeper_of(bench.folder)}/cwd"))
    process.kill()
    process.wait()
    end = time.monotonic() + 120
    while jobs(bench.folder) or folder.exists():
        assert time.monotonic() < end
        time.sleep(0.1)
    monkeypatch.delenv("FAKE_VERL")
    assert start_arm(study).wait(timeout=300) == 0
    lines = list(read(ledger))
    assert [line["metrics"]["step"] for line in lines if line["t"] == "step"] == [1, 2, 3, 4]


def test_a_start_is_no_stall_and_what_hangs_after_it_is(tmp_path: Path) -> None:
    """A recipe may allow less time for a step than verl takes to start."""
    job, _ = bare_job(tmp_path, "print('the last words', flush=True); sys.stdin.read()")
    watchdog = Watchdog("the stage", stage_seconds=None, stall_seconds=2)
    job.hub.session.progress = watchdog.progress  # type: ignore
    later = threading.Timer(4, job.hub.results.put, ["late"])
    later.start()

    def hang() -> None:
        with watchdog:
            try:
                assert job.start() == "late"
                job.call("update")
            except TimeUp as up:
                raise job.out_of_time(up) from None

    try:
        words = (
            r"resources.stall_seconds: the stage made no progress for 2 s; last, verl was at 'update'; the "
        )
        with pytest.raises(TrainingError, match=words + r"verl job is at 'update'; it said last:\n"):
            hang()
    finally:
        job.close()
        job.hub.close()


@pytest.mark.parametrize(
    ("fault", "during", "words"),
    [
        # After the job's own error, while the stage is cleaned up: the error keeps its place.
        ("die:3", (Hub, "close"), r"the verl job died \(exit code 7\), at 'in update'; it said last:"),
        # While the driver does something else than waiting for the job.
        ("", (StageSession, "submit"), r"stall_seconds: .*; the verl job is at 'in generate'; it said last:"),
    ],
)
def test_whenever_the_alarm_rings_the_error_has_the_jobs_last_words(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, fault: str, during: tuple[type, str], words: str
) -> None:
    monkeypatch.setenv("FAKE_VERL", fault)
    owner, name = during
    real = getattr(owner, name)

    def ring(*arguments: Any) -> Any:
        monkeypatch.setattr(Watchdog, "_left", lambda _: (1000.0, 0.0))
        signal.raise_signal(signal.SIGALRM)
        return real(*arguments)

    monkeypatch.setattr(owner, name, ring)
    with pytest.raises(TrainingError, match=words) as raised:
        bench.run(recipe({"stall_seconds": 1000}))
    assert "generate at step 0" in str(raised.value).partition("it said last:")[2]
    assert jobs(bench.folder) == []


def test_a_hang_ends_where_the_recipe_sets_no_limit(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VERL", "hang:3")
    monkeypatch.setattr(job_module, "STALL_SECONDS", 10.0)
    with pytest.raises(TrainingError, match=r"has made no progress for 1\d s \(limit 10\), at 'in update'"):
        bench.run(recipe())


def test_a_long_evaluation_inside_a_stage_is_no_stall(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four answers take six seconds, one after the other; none of it is silence."""
    monkeypatch.setenv("FAKE_VERL", "answers-slow")
    monkeypatch.setattr(job_module, "STALL_SECONDS", 4.5)
    record = bench.run(recipe() | {"evaluation": INSIDE})
    assert record.lines("finished")


def test_time_that_the_driver_takes_is_not_the_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job was last heard of before the driver verified something for long; then it needs its time."""
    job, process = bare_job(tmp_path, "sys.stdin.read()")
    monkeypatch.setattr(job.hub, "heard", time.monotonic() - 1000)
    later = threading.Timer(1.5, job.hub.results.put, ["late"])
    later.start()
    try:
        assert job.start() == "late"
    finally:
        job.close()
        job.hub.close()
    assert process.returncode == 0


def test_a_deadline_does_not_interrupt_the_end_of_a_job(tmp_path: Path) -> None:
    def ring(*_: Any) -> None:
        raise TrainingError("took longer than 1 s")

    job, process = bare_job(tmp_path, "sys.stdin.read(); time.sleep(2)")
    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5, 0.5)
        # The hub's thread would take the signal if it were masked in this one.
        with pytest.raises(TrainingError), contextlib.closing(job):
            time.sleep(60)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        job.hub.close()
    assert process.returncode == 0
    assert not job.folder.exists()


def bare_job(tmp_path: Path, code: str) -> tuple[RayJob, subprocess.Popen[bytes]]:
    """A job with a program of ours in its keeper's place."""
    job = RayJob.__new__(RayJob)
    process = subprocess.Popen([sys.executable, "-c", f"import sys, time; {code}"], stdin=subprocess.PIPE)
    job._process, job._below, job._token, job._told = process, set(), "0" * 32, 0.0
    job.folder, job.log, job.where = tmp_path / "job", tmp_path / "log.txt", "here"
    job.folder.mkdir()
    job.log.touch()
    heard: list[str] = []
    session = SimpleNamespace(progress=heard.append, heard=heard)
    job.hub = Hub(session, "tcp:127.0.0.1:0")  # type: ignore[arg-type]
    job.options, job.stall_seconds = VerlOptions(start_seconds=120), 120.0
    return job, process


def test_a_recipe_that_is_refused_leaves_no_folder(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def place() -> Path:
        made.append(real())
        return made[-1]

    real = job_module.place
    monkeypatch.setattr(job_module, "place", place)
    odd = recipe() | {"resources": {"nodes": 3}}
    with pytest.raises(RecipeError, match="are not a multiple of the 3 workers"):
        bench.run(odd)
    assert made
    assert not any(folder.exists() for folder in made)


def test_a_tokenizer_that_does_not_open_ends_the_job(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is opened while verl starts."""
    started: list[int] = []

    def refuse(*_: Any) -> None:
        end = time.monotonic() + 60
        while not started and time.monotonic() < end:
            started.extend(jobs(bench.folder))
        raise DataError("no tokenizer of ours")

    monkeypatch.setattr("harness_verl.trainer.Renderer.open", refuse)
    with pytest.raises(DataError, match="no tokenizer of ours"):
        bench.run(recipe())
    assert started
    assert jobs(bench.folder) == []


def test_a_job_whose_keeper_is_killed_leaves_nothing(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hanging = tmp_path / "orphaned"
    monkeypatch.setenv("FAKE_VERL", f"orphan:{hanging}")
    killed: list[int] = []

    def kill() -> None:
        wait_for(hanging.exists)
        keeper = keeper_of(bench.folder)
        assert keeper is not None
        os.kill(keeper, signal.SIGKILL)
        killed.append(keeper)

    def close_late(job: RayJob, **options: Any) -> None:
        wait_for(hanging.with_suffix(".started").exists)
        close(job, **options)

    close = RayJob.close
    monkeypatch.setattr(RayJob, "close", close_late)
    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(TrainingError, match="died"):
        bench.run(recipe())
    thread.join()
    assert killed
    # Not even what the job started after the keeper was gone, in a session and a folder of its own.
    assert jobs(bench.folder) == []
    (segment,) = hanging.read_text().split()
    assert not Path("/dev/shm", segment).exists()


def wait_for(holds: Callable[[], object]) -> None:
    end = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def keeper_of(folder: Path) -> int | None:
    """The keeper of the one job of this folder, by its command: pids say nothing of who came first."""
    for pid in jobs(folder):
        with contextlib.suppress(OSError):
            if b"/keeper.py" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    return None


def jobs(folder: Path) -> list[int]:
    """Processes that were started with the stand-in of this folder."""
    running = []
    for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda p: int(p.name)):
        with contextlib.suppress(OSError):
            text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (entry / "environ").read_bytes().decode(errors="replace")
            if alive(int(entry.name)) and str(folder) in environment and "/hv-" in text:
                running.append(int(entry.name))
    return running
