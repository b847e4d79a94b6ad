"""The launcher `slurm`: a study's runs as jobs of a Slurm cluster."""

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_launchers(register: Register) -> None:
    register(
        "slurm",
        "harness_slurm.launcher:SlurmLauncher",
        options="harness_slurm.options:SlurmOptions",
        summary="a job for each run, submitted with sbatch and followed until it has ended",
    )
