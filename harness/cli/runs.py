"""`harness runs`: the studies of a folder and how far each is."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("runs")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=Path("runs"))
def command(folder: Path) -> None:
    """List the studies in FOLDER (default: runs), oldest first."""
    from harness.cli.tables import Table, show
    from harness.readout import Glance, glance, studies

    glances = [(path, glance(path)) for path in studies(folder)]
    if not glances:
        click.echo(f"no study in {folder}: 'harness run RECIPE' makes one")
        return

    def row(path: Path, seen: Glance) -> list[str]:
        return [
            path.name,
            seen.state,
            str(len(seen.arms)),
            ", ".join(map(str, seen.seeds)) or "-",
            seen.doing or "-",
            str(path),
        ]

    show(Table(["study", "state", "arms", "seeds", "last", "folder"], [row(*item) for item in glances]))
