"""What a job is started with: verl's settings for a stage, and the variables of its processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from harness.contract import BuildContext
from harness.recipe import Conventions, Stage
from harness_verl import job, settings
from harness_verl.options import VerlOptions
from harness_verl.start import Start


def specification(
    options: VerlOptions,
    context: BuildContext,
    stage: Stage,
    conventions: Conventions,
    start: Start,
    folder: Path,
    where: str,
) -> tuple[dict[str, Any], dict[str, str]]:
    """The job's specification and its environment variables.

    Raises:
        RecipeError: an override collides with the recipe.
    """
    device = device_of(context.resources.device)
    variables = job.environment(options, folder, device=device, threads=context.resources.threads)
    if start.reference is not None:
        variables["HARNESS_VERL_REFERENCE"] = str(start.reference)
    cluster = options.ray_address is not None
    about = settings.Setup(
        model=start.model,
        context_length=start.context_length,
        device=device,
        resources=context.resources,
        micro_batch=options.micro_batch,
        ray_address=options.ray_address,
        ray_folder=None if cluster else str(folder / "ray"),
        environment={k: v for k, v in variables.items() if not (cluster and k == "PYTHONPATH")},
        packages=[str(job.package(name)) for name in job.PACKAGES] if cluster else [],
        resume=str(start.resume) if start.resume else None,
        lora=context.lora,
        adapter=str(start.adapter) if start.adapter else None,
    )
    values = settings.settings(stage, conventions, about, options.overrides, where=where)
    optimizer = str(start.optimizer / "actor") if start.optimizer else None
    return {"overrides": list(options.overrides), "settings": values, "optimizer": optimizer}, variables


def device_of(asked: str) -> str:
    """`cpu` or `cuda`; `auto` takes what this machine has."""
    if asked != "auto":
        return asked
    return "cuda" if Path("/dev/nvidia0").exists() else "cpu"


def python_of(options: VerlOptions, context: BuildContext) -> str:
    """verl's interpreter."""
    named = (options.python, context.resources.python, os.environ.get("HARNESS_VERL_PYTHON") or None)
    return job.interpreter(named, Path(os.path.abspath(context.base))) or sys.executable
