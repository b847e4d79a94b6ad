"""How many sandbox hosts a cluster needs: measured CPU of a program, and rates of samples that are stated.

    programs per second = GPUs * samples per second and GPU * share of code
    cores             = programs per second * tests per program * CPU per test / use of a core

Only the CPU figures are measured; a page that shows the table shows these and the assumptions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.contract import DataError
from harness.support import percent
from harness_sandbox_cli.openloop import UTILISATION, Figures

#: Without anything but code, 128 GPUs that train a model of 1.5B to 7B generate about 54 samples per second.
SAMPLES_PER_GPU: Final = 54 / 128
#: One task of code to 2.1 of mathematics, as in section 4.4 of arXiv 2504.00829.
CODE_SHARE: Final = 1 / 3.1
#: Tests of a program, all of them run, as the reward `fraction` needs.
TESTS: Final = 10.0
#: Prompts and samples of one step in the same paper.
STEP: Final = 128 * 16
NOT_KEPT_UP: Final = (
    "**That host did not keep up**: a crowded host takes more CPU for a program than one that keeps up, and "
    "nothing is known of the programs it did not judge. Measure at a lower rate before you rely on this."
)
GPUS: Final = (32, 128, 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What the table rests on beside the measurement."""

    samples_per_gpu: float = SAMPLES_PER_GPU
    code_share: float = CODE_SHARE
    tests: float = TESTS
    #: Cores of one sandbox host.
    host_cores: int = 32
    utilisation: float = UTILISATION
    #: Memory of one slot, in MiB: what a job may have, its files and the server.
    slot_mb: int = 1024 + 64 + 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One size of cluster."""

    gpus: int
    code_share: float
    programs_per_s: float
    tests_per_s: float
    cores: float
    #: Hosts that are needed, and one more so that any may be lost.
    hosts: int
    memory_gib: float
    #: Seconds to judge a whole step's programs that come at once, on those hosts.
    burst_s: float


def size(figures: Figures, gpus: int, code_share: float, told: Assumptions) -> Row:
    """What a cluster of so many GPUs needs."""
    programs = gpus * told.samples_per_gpu * code_share
    tests = programs * told.tests
    cores = tests * figures.cpu_test / 1000 / told.utilisation
    hosts = max(math.ceil(cores / told.host_cores), 1) + 1
    burst = STEP * code_share * told.tests * figures.cpu_test / 1000 / ((hosts - 1) * told.host_cores)
    return Row(
        gpus=gpus,
        code_share=code_share,
        programs_per_s=programs,
        tests_per_s=tests,
        cores=cores,
        hosts=hosts,
        memory_gib=hosts * told.host_cores * told.slot_mb / 1024,
        burst_s=burst,
    )


def table(figures: Figures, told: Assumptions, gpus: Sequence[int] = GPUS) -> str:
    """The sizes as a Markdown table, each for code mixed with mathematics and for code alone."""
    lines = [
        "| GPUs | share of code | programs/s | tests/s | cores | hosts | memory, GiB | a step at once, s |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for share in (told.code_share, 1.0):
        for count in gpus:
            row = size(figures, count, share, told)
            lines.append(
                f"| {row.gpus} | {row.code_share:.2f} | {row.programs_per_s:.1f} | {row.tests_per_s:.0f} "
                f"| {row.cores:.1f} | {row.hosts} | {row.memory_gib:.0f} | {row.burst_s:.1f} |"
            )
    return "\n".join(lines)


def basis(figures: Figures, told: Assumptions) -> str:
    """What the table rests on, in sentences."""
    tests = figures.tests / max(figures.judged, 1)
    behind = "" if figures.kept_up else f" {NOT_KEPT_UP}"
    run = "to the first failure" if figures.stopped_at_failure else "all of them run"
    return (
        f"Measured: {figures.cpu_test:.1f} ms of CPU per test, {percent(figures.cpu_limit, 0)} of it "
        f"spent by tests that ran into their time limit; {figures.cpu_program:.1f} ms per program of "
        f"{tests:.1f} tests, {run}. Kind `{figures.kind}`, {figures.slots} slots on {figures.cores} cores "
        f"({figures.cpu}), {_judged(figures)} at {figures.rate:g} per second; {figures.workload}; "
        f"`{_command(figures)}`.{behind}\n\n"
        f"Assumed: {told.samples_per_gpu:.2f} samples per second and GPU, {told.tests:g} tests per program, "
        f"all of them run; hosts of {told.host_cores} cores used to {percent(told.utilisation, 0)}, one of "
        f"them to spare; {told.slot_mb} MiB per slot, one slot per core."
    )


def _command(figures: Figures) -> str:
    """What the measurement was made with."""
    every = "" if figures.stopped_at_failure else " --all-tests"
    return (
        f"harness sandbox bench --kind {figures.kind} --slots {figures.slots} --rate {figures.rate:g} "
        f"--seconds {figures.seconds:g}{every}"
    )


def _judged(figures: Figures) -> str:
    if figures.judged == figures.programs:
        return f"{figures.judged} programs"
    return f"the {figures.judged} of {figures.programs} programs that were done before it stopped waiting"


def load(path: Path) -> Figures:
    """Figures that `harness sandbox bench --figures` wrote; raises DataError."""
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(values, Figures)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except (ValueError, msgspec.ValidationError) as error:
        raise DataError(f"not the figures of a bench: {error}", where=str(path)) from None
