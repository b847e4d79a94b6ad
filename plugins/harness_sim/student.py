"""The simulated student: what it answers, how long that takes, and what it is on disk.

Item response theory (Birnbaum 1968): P(right) = sigmoid(a (theta - b)). Temperature divides the logit,
so that 0 is greedy: right exactly when theta >= b, always at the same length. Lengths are log-normal
around a median that grows with difficulty; a completion that would pass max_tokens is cut there and has
no answer. Three numbers per rollout come from its key alone, so the trainer and the engine give the same
outcome.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.contract import (
    BuildContext,
    DataError,
    ModelFiles,
    Policy,
    RolloutKey,
    Sampling,
    decode,
    digest,
    encode,
    seed_of,
    uniforms,
)
from harness_sim.options import StudentOptions

Floats = npt.NDArray[np.float64]

FILE = "sim.json"
MODEL = "model"
_NUMBERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Student:
    """The policy: one ability, and constants that say how long its completions are."""

    ability: float
    tokens: float
    tokens_growth: float
    tokens_spread: float
    context_length: int
    #: Written into the file, so that whoever opens it knows.
    simulation: bool = True

    @property
    def sha(self) -> str:
        return digest("sim", encode(self).decode())

    def chance(self, a: Floats, b: Floats, temperature: float) -> Floats:
        """Probability of a right answer, before any cut; shapes as given."""
        margin = a * (self.ability - b)
        if temperature == 0:
            return (margin >= 0).astype(np.float64)
        chance: Floats = 1 / (1 + np.exp(-np.clip(margin / temperature, -700, 700)))
        return chance

    def answer(
        self, a: Floats, b: Floats, sampling: Sampling, draws: Floats
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Whether each rollout passes, its tokens and whether it was cut.

        Args:
            a, b: discrimination and difficulty, shape (rows,).
            sampling: temperature and max_tokens count.
            draws: uniform numbers, shape (rows, 3).
        """
        solved = draws[:, 0] < self.chance(a, b, sampling.temperature)
        # Box and Muller 1958; 1 - u keeps the logarithm finite.
        normal = np.sqrt(-2 * np.log1p(-draws[:, 1])) * np.cos(2 * np.pi * draws[:, 2])
        spread = self.tokens_spread if sampling.temperature else 0.0
        log_tokens = np.log(self.tokens) + self.tokens_growth * (b - self.ability) + spread * normal
        wanted = np.maximum(1, np.ceil(np.exp(np.minimum(log_tokens, 40.0))))
        cut = wanted > sampling.max_tokens
        lengths = np.minimum(wanted, sampling.max_tokens).astype(np.int64)
        return solved & ~cut, lengths, cut


def group_seed(key: RolloutKey, task: str) -> int:
    """Seed of all of a task's rollouts in a step; a rollout's numbers are at its sample's positions."""
    return seed_of("sim", key.run, key.phase, key.stage, key.step, task)


def draws(seeds: npt.NDArray[np.uint64], samples: npt.NDArray[np.int64]) -> Floats:
    """Uniform numbers of rollouts by group seed and sample number, both (rows,); result (rows, 3)."""
    positions = samples[:, None] * _NUMBERS + np.arange(_NUMBERS)
    return uniforms(seeds[:, None], positions)


def write(student: Student, folder: Path) -> None:
    """Write the student as `folder/sim.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(encode(student) + b"\n")


def student_of(policy: Policy) -> Student:
    """A policy's student.

    Raises:
        DataError: the folder is not a simulated student's, or a checkpoint's student has changed since.
    """
    student = read(policy.files.path)
    if policy.checkpoint is not None and student.sha != policy.ref.weights_sha:
        raise DataError(
            f"the checkpoint's student has changed: its hash is {student.sha}, and the run recorded "
            f"{policy.ref.weights_sha}",
            where=str(policy.files.path), hint="restore the folder, or start a new run",
        )  # fmt: skip
    return student


def read(folder: Path) -> Student:
    """The student of a model folder.

    Raises:
        DataError: the folder is not a simulated student's.
    """
    path = folder / FILE
    if not path.is_file():
        raise DataError(
            "is not a simulated student",
            where=str(path),
            hint='the simulation needs model.loader = "sim"; a real model needs a real trainer',
        )
    return decode(path.read_bytes(), Student, where=str(path))


def describe(student: Student, folder: Path) -> ModelFiles:
    return ModelFiles(folder, student.sha, student.context_length, chat=False)


class StudentLoader:
    """Makes the initial student's folder in the cache (protocol `ModelLoader`)."""

    def __init__(self, options: StudentOptions, context: BuildContext) -> None:
        self._student = Student(**options.model_dump())
        self._cache = context.cache

    def load(self) -> ModelFiles:
        folder = self._cache / "sim" / self._student.sha
        if not (folder / FILE).is_file():
            scratch = folder.with_name(f".{folder.name}-{os.getpid()}")
            write(self._student, scratch)
            folder.mkdir(parents=True, exist_ok=True)
            (scratch / FILE).replace(folder / FILE)
            scratch.rmdir()
        return describe(self._student, folder)
