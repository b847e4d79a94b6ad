"""Slurm's commands: what is submitted, where jobs stand, and how they ended."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.contract import HarnessError

#: Seconds that one of Slurm's commands may take.
SECONDS: Final = 120
#: States of jobs that have ended and will not run again.
ENDED: Final = frozenset(
    {
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY",
        "PREEMPTED", "REVOKED", "TIMEOUT",
    }
)  # fmt: skip


class SlurmError(HarnessError):
    """Slurm refused something, or does not answer."""


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """A job as squeue or sacct tells of it."""

    id: str
    #: Such as PENDING, RUNNING, TIMEOUT.
    state: str
    #: Why it waits, if it does.
    reason: str = ""
    code: int | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED


def require() -> None:
    """Raise SlurmError if there are none of Slurm's commands."""
    for command in ("sbatch", "squeue", "scancel"):
        if shutil.which(command) is None:
            raise SlurmError(
                f"there is no command {command!r} here",
                where="launcher 'slurm'",
                hint="start harness on a node of the cluster that can submit jobs, or leave the launcher out",
            )


def submit(script: str) -> str:
    """Submit a script; the job's id.

    Raises:
        SlurmError: sbatch refuses it, in its own words.
    """
    said = _run(["sbatch", "--parsable"], given=script)
    # `id`, or `id;cluster` if there are several.
    return said.strip().splitlines()[-1].partition(";")[0]


def queued(names: Sequence[str]) -> dict[str, SlurmJob]:
    """This user's jobs in the queue, by job name.

    Raises:
        SlurmError: the queue does not answer.
    """
    said = _run(["squeue", "--me", "--noheader", "--format=%j|%i|%T|%r", f"--name={','.join(names)}"])
    jobs = {}
    for line in said.splitlines():
        name, job, state, reason = line.strip().split("|", 3)
        if state not in ENDED:
            jobs[name] = SlurmJob(job, state, "" if reason == "None" else reason)
    return jobs


def ended(job: str) -> SlurmJob | None:
    """How a job ended; None if Slurm keeps no account of it, or has not heard of its end yet."""
    try:
        said = _run(
            ["sacct", f"--jobs={job}", "--allocations", "--noheader", "--parsable2",
             "--format=JobIDRaw,State,ExitCode"]
        )  # fmt: skip
    except SlurmError:
        return None
    for line in said.splitlines():
        fields = line.strip().split("|")
        if len(fields) == 3 and fields[0] == job:
            # "CANCELLED by 1000" names who did it; the exit code is `code:signal`.
            code = fields[2].partition(":")[0]
            known = SlurmJob(job, fields[1].split()[0], code=int(code) if code.isdecimal() else None)
            return known if known.ended else None
    return None


def cancel(job: str) -> None:
    """Cancel a job; one that has ended is left as it is.

    Raises:
        SlurmError: scancel does not answer.
    """
    _run(["scancel", job])


def _run(command: list[str], given: str | None = None) -> str:
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, timeout=SECONDS,
            stdin=subprocess.DEVNULL if given is None else None,
        )  # fmt: skip
    except OSError as error:
        raise SlurmError(f"{command[0]} does not start: {error}", where="launcher 'slurm'") from None
    except subprocess.TimeoutExpired:
        raise SlurmError(f"{command[0]} has not answered in {SECONDS} s", where="launcher 'slurm'") from None
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise SlurmError(f"{command[0]}: {said}", where="launcher 'slurm'")
    return done.stdout
