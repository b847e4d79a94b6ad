"""The launcher `slurm`: a study's runs as jobs, against a small Slurm whose jobs are processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from harness_slurm.options import SlurmOptions
from harness_slurm.script import job_script

from harness.contract.errors import RecipeError
from harness.contract.launching import Launch
from harness.contract.protocols import RunInfo
from harness.recipe.errors import validated
from harness.recording.ledger import read
from harness.testing import LauncherConformance
from tests.support import waiting
from tests.support.places import SUPPORT
from tests.support.recipes import SIM, write
from tests.support.runs import first_difference, harness, numbers

COMMANDS = SUPPORT / "fake_slurm"
LAUNCHER = '\n[launcher]\nname = "slurm"\npoll_seconds = 0.1\n'
# A whole study may fit into a second on a fast machine; a set-up of ten minutes does not.
TOO_SHORT = 'time = "00:00:01"\nsetup = ["sleep 600"]'


def until(condition: Callable[[], object]) -> None:
    """Each of Slurm's commands is an interpreter that has to start, on a machine that may be crowded."""
    waiting.until(condition, seconds=240)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a cluster whose commands are on the path; its jobs end with the test."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    monkeypatch.setenv("FAKE_SLURM", str(folder))
    monkeypatch.setenv("PATH", f"{COMMANDS}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    yield folder
    (folder / "hold").unlink(missing_ok=True)
    for job in jobs(folder):
        (folder / f"cancel-{job['id']}").touch()
    until(lambda: all(job["state"] not in ("PENDING", "RUNNING") for job in jobs(folder)))


@pytest.mark.usefixtures("cluster")
class TestSlurm(LauncherConformance):
    name = "slurm"
    options: ClassVar[dict[str, Any]] = {"poll_seconds": 0.1}
    outlives = True
    patience = 240.0


def jobs(cluster: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(cluster.glob("job-*.json"))]


def recipe(folder: Path, more: str = "", launcher: str = "") -> Path:
    """The small study whose runs are jobs."""
    return write(folder, SIM.replace("[[stages]]", f"{LAUNCHER}{launcher}{more}\n[[stages]]"))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return harness("run", *arguments, cwd=folder)


def driver(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`harness run`, which the test may end."""
    return subprocess.Popen(
        [sys.executable, "-m", "harness", "run", *arguments], cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env={**os.environ, "HARNESS_CACHE": str(folder / "cache")},
        # A script's background job ignores the interrupt, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def study(folder: Path) -> Path:
    return folder / "runs" / "small-sim-1"


def states(cluster: Path) -> list[str]:
    return [job["state"] for job in jobs(cluster)]


def calls(cluster: Path, command: str) -> int:
    return sum(line.startswith(command) for line in (cluster / "calls").read_text().splitlines())


def test_a_run_in_a_job_has_the_numbers_of_one_that_ran_here(tmp_path: Path, cluster: Path) -> None:
    done = run(tmp_path, str(recipe(tmp_path)))
    assert done.returncode == 0, done.stderr
    assert "main: slurm job 1 is " in done.stdout
    assert states(cluster) == ["COMPLETED"]
    here = tmp_path / "here"
    here.mkdir()
    assert run(here, str(write(here, SIM))).returncode == 0
    one, other = (study(at) / "main" / "seed-0" for at in (tmp_path, here))
    assert first_difference(numbers(one), numbers(other)) is None
    opened = [next(iter(read(at / "ledger.jsonl"))) for at in (one, other)]
    assert opened[0]["recipe_sha"] == opened[1]["recipe_sha"], "where a run is started is no part of it"
    assert opened[0]["recipe"] == opened[1]["recipe"]


def test_each_arm_and_seed_is_a_job(tmp_path: Path, cluster: Path) -> None:
    path = recipe(tmp_path)
    done = run(tmp_path, str(path), "--set", "seeds=[0, 1, 2]", "--set", "budget.rollouts=1500")
    assert done.returncode == 0, done.stderr
    assert states(cluster) == ["COMPLETED"] * 3
    assert len({job["name"] for job in jobs(cluster)}) == 3


def test_a_driver_that_was_killed_follows_its_jobs_when_it_is_resumed(tmp_path: Path, cluster: Path) -> None:
    (cluster / "hold").touch()
    with driver(tmp_path, str(recipe(tmp_path))) as first:
        until(lambda: states(cluster) == ["PENDING"])
        first.kill()
    assert states(cluster) == ["PENDING"], "the job goes on without its driver"
    with driver(tmp_path, "--resume", str(study(tmp_path))) as second:
        until(lambda: calls(cluster, "squeue") >= 4)
        (cluster / "hold").unlink()
        said, _ = second.communicate(timeout=240)
    assert second.returncode == 0, said
    assert "main: slurm job 1 is PENDING (Resources)" in said
    assert states(cluster) == ["COMPLETED"], "it was not submitted a second time"
    again = run(tmp_path, "--resume", str(study(tmp_path)))
    assert again.returncode == 0, again.stderr
    assert calls(cluster, "sbatch") == 1, "a finished run is no job"


def test_an_interrupt_cancels_the_jobs(tmp_path: Path, cluster: Path) -> None:
    (cluster / "hold").touch()
    with driver(tmp_path, str(recipe(tmp_path))) as first:
        until(lambda: states(cluster) == ["PENDING"])
        until(lambda: calls(cluster, "squeue") >= 2)
        first.send_signal(signal.SIGINT)
        said, _ = first.communicate(timeout=240)
    assert first.returncode == 130, said
    assert f"harness run --resume {Path('runs/small-sim-1')}" in said
    until(lambda: states(cluster) == ["CANCELLED by 1000"])


def test_an_interrupt_may_leave_them(tmp_path: Path, cluster: Path) -> None:
    (cluster / "hold").touch()
    path = recipe(tmp_path, launcher='on_interrupt = "leave"')
    with driver(tmp_path, str(path)) as first:
        until(lambda: states(cluster) == ["PENDING"])
        until(lambda: calls(cluster, "squeue") >= 2)
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=240)
    assert calls(cluster, "scancel") == 0
    assert states(cluster) == ["PENDING"]


@pytest.mark.parametrize(
    ("launcher", "fault", "line"),
    [
        (TOO_SHORT, "", "slurm job 1 ended in TIMEOUT: raise the launcher's option time"),
        ("", "node-fail", "slurm job 1 ended in NODE_FAIL: its node failed; --resume goes on"),
        ("", "cancel-1", "slurm job 1 ended in CANCELLED: somebody cancelled it; --resume goes on"),
        ('setup = ["exit 41"]', "", "slurm job 1 ended in FAILED with exit code 41"),
    ],
    ids=["timeout", "node", "cancelled", "failed"],
)  # fmt: skip
def test_how_a_job_ended_is_told_in_a_line_and_resumed(
    tmp_path: Path, cluster: Path, launcher: str, fault: str, line: str
) -> None:
    if fault:
        (cluster / fault).touch()
    path = recipe(tmp_path, launcher=launcher)
    done = run(tmp_path, str(path), "--set", "budget.rollouts=2000000000")
    assert done.returncode == 1
    assert line in done.stderr
    assert "harness run --resume" in done.stderr
    if fault:
        (cluster / fault).unlink()
    with driver(tmp_path, "--resume", str(study(tmp_path))) as resumed:
        until(lambda: len(states(cluster)) == 2)
        resumed.kill()


def test_a_cluster_without_accounts_tells_what_the_job_itself_left(tmp_path: Path, cluster: Path) -> None:
    (cluster / "no-accounts").touch()
    done = run(tmp_path, str(recipe(tmp_path)), "--set", "budget.rollouts=1500")
    assert done.returncode == 0, done.stderr
    (cluster / "node-fail").touch()
    done = run(tmp_path, str(recipe(tmp_path)), "--set", "budget.rollouts=2000000000")
    assert "slurm job 2 ended, and Slurm does not say how" in done.stderr


def test_what_sbatch_refuses_is_told_in_its_words(tmp_path: Path, cluster: Path) -> None:
    (cluster / "refuse").write_text("sbatch: error: invalid partition specified: gpus")
    done = run(tmp_path, str(recipe(tmp_path)))
    assert done.returncode == 2
    assert "launcher 'slurm': sbatch: sbatch: error: invalid partition specified: gpus" in done.stderr


def test_a_queue_that_does_not_answer_is_waited_for_and_then_named(tmp_path: Path, cluster: Path) -> None:
    (cluster / "hold").touch()
    path = recipe(tmp_path, launcher="patience_seconds = 1.0")
    with driver(tmp_path, str(path)) as first:
        until(lambda: states(cluster) == ["PENDING"])
        (cluster / "silent").touch()
        said, _ = first.communicate(timeout=240)
    assert "the queue has not answered for" in said
    assert "the jobs go on; harness run --resume follows them" in said
    assert states(cluster) == ["PENDING"]


def test_without_slurm_the_command_is_named(tmp_path: Path) -> None:
    done = harness("run", str(recipe(tmp_path)), cwd=tmp_path, PATH="/nowhere")
    assert done.returncode == 2
    assert "there is no command 'sbatch' here" in done.stderr
    assert not (tmp_path / "runs").exists(), "it is said before a study is begun"


def test_a_script_asks_for_what_the_options_say(tmp_path: Path) -> None:
    options = SlurmOptions(
        partition="long", account="lab", time="2-12", gpus=4, cpus=8, memory="64G", extra=("--qos=high",),
        setup=("module load cuda",),
    )  # fmt: skip
    info = RunInfo(tmp_path / "arm" / "seed-0", "recipe", "arm", 0)
    launch = Launch(info, ("python", "-m", "harness", "a b"), tmp_path / "log.txt", finished=False)
    lines = job_script(launch, options, name="n", folder=tmp_path, end=tmp_path / "end").splitlines()
    assert lines[0] == "#!/bin/bash"
    assert {line.removeprefix("#SBATCH ") for line in lines if line.startswith("#SBATCH")} == {
        "--job-name=n", f"--output={tmp_path}/log.txt", "--open-mode=append", f"--chdir={tmp_path}",
        "--partition=long", "--account=lab", "--time=2-12", "--gpus-per-node=4", "--cpus-per-task=8",
        "--mem=64G", "--qos=high",
    }  # fmt: skip
    assert lines.index("module load cuda || exit") < lines.index("python -m harness 'a b'")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"extra": ["--output=x"]}, "the launcher sets --output itself"),
        ({"extra": ["-p long"]}, "is not a long option of sbatch"),
        ({"partition": "a\n#SBATCH --wrap=b"}, "must be one word"),
        ({"poll_seconds": 0}, "poll_seconds"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        validated(SlurmOptions, options, where="launcher")
