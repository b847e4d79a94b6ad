"""What a run is: the facts that its numbers rest on, written first into its ledger.

A run goes on only if these are what they were; the environment is told but not compared.
"""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

import harness
from harness.contract.capabilities import EngineCapabilities, TrainerCapabilities
from harness.contract.protocols import ModelFiles, RunInfo
from harness.contract.records import Difficulty, digest, digest_all
from harness.evaluating.heldout import HeldoutSet
from harness.planning.capabilities import TRAINER_ENGINE
from harness.planning.plan import Plan
from harness.recording.ledger import SCHEMA
from harness.running.code import code_in_use
from harness.scoring import Scorer
from harness.support.processes import processor
from harness.tasks.pool import TaskPool

#: Parts of a recipe that change no number of a run.
WORDS = frozenset({"about", "report", "arms", "seeds", "launcher"})


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
        "simulated": simulated(plan),
        "seed": plan.seed,
        "stream": info.stream,
        "harness": harness.__version__,
        "plugins": plan.plugins.facts(),
        "code": code_in_use(plan),
        "verifiers": scorer.hashes(),
        "model": {
            "name": plan.recipe.model.name,
            "weights_sha": files.weights_sha,
            "context_length": files.context_length,
        },
    }


def simulated(plan: Plan) -> bool:
    """Whether the trainer, or the engine that evaluates, says of itself that its outcomes are no model's."""
    recipe = plan.recipe
    if plan.find("trainers", recipe.trainer, "trainer").able(TrainerCapabilities).simulated:
        return True
    if recipe.engine.name == TRAINER_ENGINE:
        return False
    return plan.find("engines", recipe.engine, "engine").able(EngineCapabilities).simulated


def environment() -> dict[str, Any]:
    """Facts that a reader of the numbers wants; never the environment's variables."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def now() -> str:
    """The date and time in UTC, for people."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
