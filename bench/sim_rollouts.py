"""Rollouts a second of the simulation, through the real loop and session at ledger detail `group`.

    python bench/sim_rollouts.py

The goal is 100,000 rollouts per second; `ratio` is what was reached over that. `arrays` is the part that
numpy needs for the outcomes alone: the rest is tasks, groups, advantages, curriculum and ledger.
CPU seconds are the measure, since a shared machine's clock says little.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from harness_sim.options import StudentOptions
from harness_sim.student import Student, draws

from harness.contract.records import Sampling
from harness.plugging.plugins import load
from harness.testing import Recorded, Workbench

GOAL = 100_000


def recipe(curriculum: str, n: int, batch: int, steps: int) -> dict[str, Any]:
    return {
        "name": "bench",
        "detail": "group",
        "model": {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"},
        "tasks": {"train": [{"name": "sim-irt", "count": 40}]},
        "trainer": {"name": "sim"},
        "checkpoints": {"every_steps": 1_000_000},
        "report": {"reporters": []},
        "stages": [
            {
                "name": "all",
                "curriculum": curriculum,
                "rollout": {"n": n, "batch": batch, "max_tokens": 4096},
                "optimizer": {"lr": 1e-5},
                "max_steps": steps,
            }
        ],
    }


def through_the_loop(
    folder: Path, curriculum: str, n: int, batch: int, steps: int
) -> tuple[int, float, float]:
    """Rollouts, CPU seconds and wall seconds of a run, its start included."""
    bench, values = Workbench(folder, load()), recipe(curriculum, n, batch, steps)
    cpu, wall = time.process_time(), time.perf_counter()
    record: Recorded = bench.run(values)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return sum(m.rollouts for m in record.metrics()), cpu, wall


def arrays_alone(rollouts: int) -> float:
    """CPU seconds of drawing so many outcomes in calls of 4096."""
    student = Student(**StudentOptions().model_dump())
    a, b = np.ones(4096), np.linspace(-4, 16, 4096)
    seeds, samples = np.arange(4096, dtype=np.uint64), np.arange(4096)
    start = time.process_time()
    for _ in range(max(1, rollouts // 4096)):
        student.answer(a, b, Sampling(), draws(seeds, samples))
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=16, help="rollouts per group")
    parser.add_argument("--batch", type=int, default=128, help="groups per step")
    parser.add_argument("--steps", type=int, default=100)
    given = parser.parse_args()
    print(f"SIMULATION, {given.batch} groups of {given.n}, {given.steps} steps, detail 'group'")
    print(
        f"{'curriculum':<14}{'rollouts':>10}{'CPU-s':>8}{'wall-s':>8}{'rollouts/CPU-s':>16}{'ratio':>8}{'arrays':>8}"
    )
    with tempfile.TemporaryDirectory() as folder:
        through_the_loop(Path(folder), "uniform", 2, 2, 1)  # imports are not what is measured
    for curriculum in ("uniform", "learnability"):
        with tempfile.TemporaryDirectory() as folder:
            rollouts, cpu, wall = through_the_loop(
                Path(folder), curriculum, given.n, given.batch, given.steps
            )
        rate, share = rollouts / cpu, arrays_alone(rollouts) / cpu
        speed = f"{rate:>16,.0f}{rate / GOAL:>8.2f}{share:>8.0%}"
        print(f"{curriculum:<14}{rollouts:>10,}{cpu:>8.2f}{wall:>8.2f}{speed}")


if __name__ == "__main__":
    main()
