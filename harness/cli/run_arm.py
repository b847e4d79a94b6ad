"""`harness run-arm`: one run of a study, in the process that `harness run` starts for it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.context import load_plugins


@click.command(hidden=True)
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.argument("arm")
@click.argument("seed", type=int)
def command(folder: Path, arm: str, seed: int) -> None:
    """Run one arm with one seed of a study, from where its ledger ends."""
    from harness.blotting import BlottedStream
    from harness.loop import run
    from harness.recipe import load_recipe
    from harness.study import end_with_parent, open_study, plan_of

    end_with_parent()
    # What this process prints goes into the run's log.
    sys.stdout, sys.stderr = BlottedStream(sys.stdout), BlottedStream(sys.stderr)
    study = open_study(folder)
    plan = plan_of(study, load_plugins(study.recipe_path), arm, seed, load_recipe)
    run(plan, study.run_folder(arm, seed))
