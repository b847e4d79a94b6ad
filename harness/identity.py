"""What a run is: the facts that its numbers rest on, written first into its ledger.

A run goes on only where these are what they were; the environment is told but not compared.
"""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
from harness.evaluation import HeldoutSet
from harness.ledger import SCHEMA
from harness.plan import Plan
from harness.pool import TaskPool
from harness.protocols import ModelFiles, RunInfo
from harness.records import Difficulty, digest, digest_all
from harness.scoring import Scorer

#: Parts of a recipe that change no number of a run.
WORDS = frozenset({"about", "report", "arms", "seeds"})


def identity(
    plan: Plan,
    info: RunInfo,
    files: ModelFiles,
    pool: TaskPool,
    scorer: Scorer,
    heldout: Sequence[HeldoutSet],
    labels: Mapping[str, Mapping[str, Difficulty]],
) -> dict[str, Any]:
    """The fields of the ledger's `opened` line, but for the environment and the date."""
    return {
        "schema": SCHEMA,
        "run": {"recipe": plan.recipe.name, "arm": plan.arm.name, "seed": plan.seed},
        "recipe": plan.recipe.model_dump(mode="json", exclude=set(WORDS)),
        "recipe_sha": plan.file.sha,
        "data_sha": pool.fingerprint(),
        "heldout_sha": {h.name: digest([task.content_hash for task in h.tasks]) for h in heldout},
        "labels_sha": {name: digest_all(known.values()) for name, known in labels.items()},
        "seed": plan.seed,
        "stream": info.stream,
        "harness": harness.__version__,
        "plugins": plan.plugins.facts(),
        "verifiers": scorer.hashes(),
        "model": {
            "name": plan.recipe.model.name,
            "weights_sha": files.weights_sha,
            "context_length": files.context_length,
        },
    }


def environment() -> dict[str, Any]:
    """Facts that a reader of the numbers wants; never the environment's variables."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
    }


def now() -> str:
    """The date and time in UTC, for people."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
