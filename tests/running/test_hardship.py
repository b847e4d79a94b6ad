"""Runs on machines that are not as they should be: a full disk, a folder that is not to be written to, a
clock that jumps, and a second driver."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.recipes import SIM, write
from tests.support.runs import first_difference, harness, numbers
from tests.support.waiting import until

STUDY = "runs/small-sim-1"
RUN = f"{STUDY}/main/seed-0"
SMALL = SIM.replace("rollouts = 6000", "rollouts = 2000")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    home = tmp_path_factory.mktemp("unbroken")
    write(home, SMALL)
    done = harness("run", "recipe.toml", cwd=home)
    assert done.returncode == 0, done.stderr
    return numbers(home / RUN)


def with_mounts(home: Path, script: str) -> str:
    """Both outputs of a shell script that may mount what it likes, unseen by others.

    `$harness` runs the command. What the script copies into `kept` is there afterwards.
    """
    enter = ["unshare", "--user", "--map-root-user", "--mount"]
    able = subprocess.run([*enter, "true"], capture_output=True, text=True, check=False)
    if able.returncode:
        pytest.skip(f"NAMESPACES: no mounts of one's own on this machine: {able.stderr.strip()}")
    for name in ("runs", "kept"):
        (home / name).mkdir()
    variables = {"harness": f"{sys.executable} -m harness", "HARNESS_CACHE": str(home / "cache")}
    done = subprocess.run(
        [*enter, "sh", "-e", "-c", script], cwd=home, env={**os.environ, **variables},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_a_run_whose_disk_fills_up_says_so_and_goes_on_when_there_is_room(
    tmp_path: Path, unbroken: list[Any]
) -> None:
    write(tmp_path, SMALL)
    said = with_mounts(
        tmp_path,
        f"""
mount -t tmpfs -o size=400k tmpfs runs
$harness run recipe.toml && exit 1
echo ran out
mount -o remount,size=64m runs
$harness run --resume {STUDY}
cp -r {STUDY} kept
""",
    )
    before = said.partition("ran out")[0]
    assert f"the disk of {RUN} is full" in before
    assert f"harness run --resume {STUDY}" in before
    assert "Traceback" not in said
    assert first_difference(numbers(tmp_path / "kept/small-sim-1/main/seed-0"), unbroken) is None


def test_a_folder_that_is_not_to_be_written_to_is_read_and_not_resumed(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    said = with_mounts(
        tmp_path,
        f"""
$harness run recipe.toml
mount --bind runs runs
mount -o remount,ro,bind runs
echo locked
$harness report {STUDY}
$harness run --resume {STUDY} && exit 1
$harness run recipe.toml && exit 1
true
""",
    )
    after = said.partition("locked")[2]
    assert "cannot be written: Read-only file system" in after
    assert "runs: cannot hold runs: Read-only file system" in after
    assert "Traceback" not in said


#: A clock that is a day ahead at one look in seven, and two days behind at another. The clock for spans of
#: time stays as it is.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  static unsigned looks;
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int code = real(clock, now);
  if (clock == CLOCK_REALTIME) {
    unsigned look = __sync_fetch_and_add(&looks, 1) % 7;
    now->tv_sec += look == 3 ? 86400 : look == 5 ? -172800 : 0;
  }
  return code;
}
"""


def test_a_clock_that_jumps_changes_no_number(tmp_path: Path, unbroken: list[Any]) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler on PATH, which makes the clock that jumps")
    (tmp_path / "clock.c").write_text(CLOCK)
    built = ["-shared", "-fPIC", "-o", "clock.so", "clock.c", "-ldl"]
    subprocess.run([compiler, *built], cwd=tmp_path, check=True, timeout=300)
    clock = str(tmp_path / "clock.so")
    looks = "import time; seen = [time.time() for _ in range(14)]; print(max(seen) - min(seen) > 86400)"
    told = subprocess.run(
        [sys.executable, "-c", looks], env={**os.environ, "LD_PRELOAD": clock}, stdout=subprocess.PIPE,
        text=True, check=True,
    )  # fmt: skip
    assert told.stdout == "True\n"
    write(tmp_path, SMALL)
    done = harness("run", "recipe.toml", cwd=tmp_path, LD_PRELOAD=clock)
    assert done.returncode == 0, done.stderr
    assert first_difference(numbers(tmp_path / RUN), unbroken) is None


def test_a_second_driver_is_refused_and_the_first_one_does_not_notice(
    tmp_path: Path, unbroken: list[Any]
) -> None:
    write(tmp_path, SMALL)
    environment = {**os.environ, "HARNESS_CACHE": str(tmp_path / "cache")}
    first = subprocess.Popen(
        [sys.executable, "-m", "harness", "run", "recipe.toml"], cwd=tmp_path, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    ledger = tmp_path / RUN / "ledger.jsonl"
    until(lambda: ledger.exists() and ledger.stat().st_size, 300, what="the run begins")
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    # It stands still until the other one has been refused.
    for child in children:
        os.kill(int(child), signal.SIGSTOP)
    second = harness("run", "--resume", STUDY, cwd=tmp_path)
    for child in children:
        os.kill(int(child), signal.SIGCONT)
    said, _ = first.communicate(timeout=300)
    assert second.returncode != 0
    assert "another process is writing this run" in second.stderr
    assert first.returncode == 0, said
    assert first_difference(numbers(tmp_path / RUN), unbroken) is None
