"""`harness run-arm`: one run of a study, in a process that the study's launcher starts for it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from harness.cli.context import load_plugins


@click.command(hidden=True)
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.argument("arm")
@click.argument("seed", type=int)
@click.option("--attached", is_flag=True, help="End when the standard input closes.")
def command(folder: Path, arm: str, seed: int, attached: bool) -> None:
    """Run one arm with one seed of a study, from where its ledger ends."""
    from harness.recipe import load_recipe
    from harness.recording.blotting import BlottedStream
    from harness.running.loop import run
    from harness.running.study import end_with_parent, open_study, plan_of

    if attached:
        end_with_parent()
    # What this process prints goes into the run's log.
    sys.stdout, sys.stderr = BlottedStream(sys.stdout), BlottedStream(sys.stderr)
    study = open_study(folder)
    plan = plan_of(study, load_plugins(study.recipe_path), arm, seed, load_recipe)
    run(plan, study.run_folder(arm, seed))
