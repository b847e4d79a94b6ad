"""Options of the launcher `slurm`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from harness.recipe import Count, Model

#: Options of sbatch that the launcher needs for itself.
OWN = ("job-name", "output", "error", "open-mode", "chdir", "parsable", "array", "wait")


class SlurmOptions(Model):
    """How jobs are submitted. What is not set is left to the cluster's defaults."""

    partition: str | None = None
    """Partition (queue) of the jobs."""
    account: str | None = None
    """Account that is charged."""
    time: str | None = None
    """Time limit of a job as sbatch takes it, such as `08:00:00` or `2-12`. A run that reaches it goes on
    from its ledger with `harness run --resume`."""
    gpus: Count | None = None
    """GPUs per job, on one node."""
    cpus: Count | None = None
    """CPUs per job."""
    memory: str | None = None
    """Memory per job as sbatch takes it, such as `32G`."""
    extra: tuple[str, ...] = ()
    """Further options of sbatch, such as `["--constraint=a100", "--qos=long"]`."""
    setup: tuple[str, ...] = ()
    """Lines of shell before the run, such as `["module load cuda"]`. One that fails ends the job."""
    poll_seconds: Annotated[float, Field(gt=0)] = 15.0
    """Seconds between two looks at the queue; one look asks for all jobs of a study."""
    patience_seconds: Annotated[float, Field(gt=0)] = 900.0
    """Give up on a queue that does not answer for this many seconds."""
    jobs: Count | None = None
    """Jobs of the study that are submitted at a time. If not set, all are submitted, and the cluster decides
    their order."""
    on_interrupt: Literal["cancel", "leave"] = "cancel"
    """What becomes of the jobs when `harness run` is interrupted (Ctrl-C). If it is killed, or its terminal
    closes, they go on in any case."""

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, extra: tuple[str, ...]) -> tuple[str, ...]:
        for line in extra:
            name = line.removeprefix("--").partition("=")[0].strip()
            if not line.startswith("--") or "\n" in line:
                raise ValueError(f"{line!r} is not a long option of sbatch, such as '--qos=long'")
            if name in OWN:
                raise ValueError(f"{line!r}: the launcher sets --{name} itself")
        return extra

    @field_validator("partition", "account", "time", "memory")
    @classmethod
    def _one_line(cls, value: str | None) -> str | None:
        if value is not None and (not value.strip() or value.split() != [value]):
            raise ValueError(f"{value!r} must be one word")
        return value
