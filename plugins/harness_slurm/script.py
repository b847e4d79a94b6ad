"""The script of a job: its options for sbatch, and the run that it starts. A pure function."""

from __future__ import annotations

import shlex
from pathlib import Path

from harness.contract import Launch
from harness_slurm.options import SlurmOptions


def job_script(launch: Launch, options: SlurmOptions, *, name: str, folder: Path, end: Path) -> str:
    """
    Args:
        name: the job's name.
        folder: where the command starts.
        end: the file that gets the exit code of a run that ended by itself.
    """
    asked = [
        f"--job-name={name}",
        f"--output={launch.log.absolute()}",
        # A run that is taken up again appends.
        "--open-mode=append",
        f"--chdir={folder}",
        *(
            f"--{option}={value}"
            for option, value in (
                ("partition", options.partition),
                ("account", options.account),
                ("time", options.time),
                ("gpus-per-node", options.gpus),
                ("cpus-per-task", options.cpus),
                ("mem", options.memory),
            )
            if value is not None
        ),
        *options.extra,
    ]
    lines = [
        "#!/bin/bash",
        *(f"#SBATCH {option if ' ' not in option else _quoted(option)}" for option in asked),
        *(f"{line} || exit" for line in options.setup),
        shlex.join(launch.command),
        "code=$?",
        # In one piece: whoever reads it sees all or nothing.
        f"echo $code > {shlex.quote(f'{end}.new')} && mv {shlex.quote(f'{end}.new')} {shlex.quote(str(end))}",
        "exit $code",
    ]
    return "\n".join(lines) + "\n"


def _quoted(option: str) -> str:
    """An option whose value has spaces, as sbatch reads it in a script."""
    name, _, value = option.partition("=")
    return f'{name}="{value}"'
