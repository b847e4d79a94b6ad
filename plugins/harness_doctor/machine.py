"""The machine: GPUs, Docker, and the disk under the folders that are written to."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from harness.contract import HarnessError
from harness.plugging import missing_requirements
from harness_doctor.finding import Finding
from harness_doctor.installation import DISTRIBUTION

#: Bytes below which a run's first checkpoint, or a benchmark's first download, may not fit.
LITTLE: Final = 2 * 1024**3
PATIENCE: Final = 20.0


def gpus() -> Finding:
    """NVIDIA's GPUs as their driver lists them, and whether the torch that is here can use them."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Finding("GPUs", "off", "no NVIDIA driver here; everything runs on the CPU")
    try:
        done = subprocess.run(
            [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        told = str(getattr(error, "stdout", "") or error).strip()
        return Finding(
            "GPUs", "fault", f"nvidia-smi fails: {told[:200]}", "load the driver: sudo modprobe nvidia"
        )
    names = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if not names:
        return Finding("GPUs", "off", "the driver lists none", "nvidia-smi -L")
    said = "; ".join(names)
    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return Finding("GPUs", "ok", said)
    if torch.endswith("+cpu"):
        return Finding(
            "GPUs", "fault", f"{said}; torch {torch} is a build for CPUs, which sees none of them",
            "pip uninstall -y torch && pip install torch",
        )  # fmt: skip
    return Finding("GPUs", "ok", said)


def docker(host: str) -> Finding:
    """Whether a Docker engine answers.

    Args:
        host: the value of DOCKER_HOST.
    """
    lacking = missing_requirements(DISTRIBUTION, "docker")
    if lacking:
        return Finding(
            "Docker", "off", f"not asked, for want of {', '.join(lacking)}; other sandboxes do without",
            f"pip install '{DISTRIBUTION}[docker]'",
        )  # fmt: skip
    from harness_docker.engine import connect

    try:
        client = connect(timeout=PATIENCE)
    except HarnessError as error:
        # Somebody who names an engine wants that one; without a name there may be none.
        mend = "unset DOCKER_HOST, or start the engine that it names" if host else error.hint
        return Finding("Docker", "fault" if host else "off", f"{error.what}"[:300], mend)
    try:
        return Finding("Docker", "ok", f"engine {client.version()['Version']} answers")
    finally:
        client.close()


def disks(folders: Mapping[str, Path]) -> Iterator[Finding]:
    """Free space under folders that are written to, one line for each disk.

    Args:
        folders: what each is called -> where it is, or would be made.
    """
    by_disk: dict[int, tuple[Path, list[str]]] = {}
    for name, folder in folders.items():
        there = existing(folder)
        by_disk.setdefault(there.stat().st_dev, (there, []))[1].append(name)
    for place, names in by_disk.values():
        usage = shutil.disk_usage(place)
        said = f"{gib(usage.free)} of {gib(usage.total)} free for {', '.join(names)}"
        if usage.free < LITTLE:
            yield Finding(
                "disk", "fault", said, f"make room below {place}, or name another disk by HARNESS_CACHE"
            )
        else:
            yield Finding("disk", "ok", said)


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    whole = folder.expanduser().absolute()
    return next(p for p in (whole, *whole.parents) if p.is_dir())


def writable(folder: Path) -> bool:
    """Whether this user may write there, or make it."""
    return os.access(existing(folder), os.W_OK | os.X_OK)


def gib(size: int) -> str:
    return f"{size / 1024**3:,.1f} GiB"
