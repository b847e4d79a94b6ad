"""`harness doctor`: examine, print, and say by the exit code whether something is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from harness.plugging import load
from harness.support import cache_folder
from harness_doctor import installation, machine, places
from harness_doctor.finding import STATES, Finding


@click.command()
@click.option(
    "--python", "interpreters", multiple=True, metavar="PATH",
    help="Also examine the environment of this interpreter, as an engine's `python` names it; repeatable.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(interpreters: tuple[str, ...], as_json: bool) -> int:
    """Examine this machine and this installation.

    Python, plugins, extras and what each is for, environments of engines, Docker, GPUs, disk, the folders
    that HARNESS_DATA, HARNESS_CACHE and HF_HOME name, and whether the Hub may be asked. Below what is off or
    at fault stands the line that mends it. What is off is not here, and missed only by what needs it. What is
    at fault is set or installed, and does not work.

    Exit code 1 if there is a fault.
    """
    root = click.get_current_context().find_root()
    findings = list(examine(interpreters, root.params.get("no_plugin", ())))
    faults = sum(finding.state == "fault" for finding in findings)
    if as_json:
        told = {"findings": [asdict(finding) for finding in findings], "faults": faults}
        click.echo(json.dumps(told, indent=1))
    else:
        show(findings)
    return 1 if faults else 0


def examine(interpreters: Sequence[str], blocked: Sequence[str] = ()) -> Iterator[Finding]:
    """Look at everything, in the order of the report."""
    plugins = load(block=blocked)
    yield installation.python()
    yield installation.plugin_states(plugins)
    yield from installation.extras(plugins)
    yield from installation.environments(interpreters, os.environ.get("HARNESS_VERL_PYTHON", ""))
    yield machine.docker(os.environ.get("DOCKER_HOST", ""))
    yield machine.gpus()
    home = places.hub_home(os.environ)
    yield from machine.disks({"runs": Path.cwd(), "HARNESS_CACHE": cache_folder(), "HF_HOME": home})
    yield places.data()
    yield places.cache()
    yield from places.hub(os.environ)


def show(findings: Sequence[Finding]) -> None:
    """Print a line for each, and below it what mends it."""
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        click.echo(f"{finding.state:5}  {finding.subject:{width}}  {finding.said}")
        if finding.mend:
            click.echo(f"{'':7}{'':{width}}    next: {finding.mend}")
    counts = {state: sum(f.state == state for f in findings) for state in STATES}
    click.echo(f"\n{counts['ok']} ok, {counts['off']} off, {counts['fault']} at fault")
