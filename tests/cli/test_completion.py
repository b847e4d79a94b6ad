"""`harness completion`: bash itself completes verbs, options and names."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.runs import harness

BASH = shutil.which("bash") or ""
PROGRAM = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m harness "$@"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with a file of problems, and the command on the path."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "harness").write_text(PROGRAM)
    (tmp_path / "bin" / "harness").chmod(0o755)
    (tmp_path / "mine.jsonl").write_text("")
    return tmp_path


def completed(home: Path, *words: str) -> list[str]:
    """What bash offers for the last of the words."""
    line = f"""
    eval "$(harness completion bash)"
    COMP_WORDS=(harness {" ".join(map(shlex.quote, words))})
    COMP_CWORD={len(words)}
    $(complete -p harness | sed 's/.*-F \\([^ ]*\\) .*/\\1/') harness
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    environment = {**os.environ, "PATH": f"{home / 'bin'}:{os.environ['PATH']}", "HARNESS_PLUGINS": PLUGINS}
    done = subprocess.run(
        [BASH, "--norc", "--noprofile", "-c", line], cwd=home, env=environment,
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    return done.stdout.split()


PLUGINS = "benchmarks,offline,sandbox-cli"


@pytest.mark.skipif(not BASH, reason="no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ev"], ["eval"]),
        (["run"], ["run", "runs"]),
        (["sand"], ["sandbox"]),
        (["board", "ex"], ["export"]),
        (["eval", "m", "--pro"], ["--profile"]),
        (["eval", "m", "-b", "aime25"], ["aime25", "aime25-alt"]),
        (["eval", "m", "-b", "aime24,math"], ["aime24,math500"]),
        (["eval", "m", "--profile", "greedy"], ["greedy-smoke"]),
        (["eval", "m", "--engine", "ec"], ["echo"]),
        (["eval", "m", "--source", "h"], ["hub"]),
        (["score", "--import", "x", "-b", "gs"], ["gsm8k"]),
    ],
)
def test_bash_completes_verbs_options_and_names(home: Path, words: list[str], offered: list[str]) -> None:
    assert completed(home, *words) == offered


@pytest.mark.skipif(not BASH, reason="no bash")
def test_a_verb_that_is_no_users_is_not_offered(home: Path) -> None:
    assert "run-arm" not in completed(home, "")


def test_a_word_that_is_no_name_is_completed_as_a_file(home: Path) -> None:
    done = harness(
        cwd=home, HARNESS_PLUGINS=PLUGINS, _HARNESS_COMPLETE="bash_complete",
        COMP_WORDS="harness eval m -b min", COMP_CWORD="4",
    )  # fmt: skip
    assert done.stdout.split() == ["plain,minerva"]
    done = harness(
        cwd=home, HARNESS_PLUGINS=PLUGINS, _HARNESS_COMPLETE="bash_complete",
        COMP_WORDS="harness eval m -b mine.", COMP_CWORD="4",
    )  # fmt: skip
    assert done.stdout.split() == ["file,mine."]


@pytest.mark.parametrize(("shell", "check"), [("bash", ["-n"]), ("zsh", ["-n"]), ("fish", ["--no-execute"])])
def test_each_shell_reads_its_script(home: Path, shell: str, check: list[str]) -> None:
    done = harness("completion", cwd=home, SHELL=f"/usr/bin/{shell}")
    assert done.returncode == 0
    assert done.stdout == harness("completion", shell, cwd=home).stdout
    assert f"_HARNESS_COMPLETE={shell}_complete" in done.stdout
    if (program := shutil.which(shell)) is not None:
        subprocess.run([program, *check], input=done.stdout, text=True, check=True, timeout=60)


def test_a_shell_that_is_not_known_is_asked_for(home: Path) -> None:
    done = harness("completion", cwd=home, SHELL="/bin/tcsh")
    assert done.returncode == 2
    assert "'tcsh' has no completion; allowed: bash, zsh, fish" in done.stderr
