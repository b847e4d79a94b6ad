"""Folders that several verbs take."""

from __future__ import annotations

from pathlib import Path

import click

FOLDER = click.Path(file_okay=False, path_type=Path)
#: The option `--leaderboards` of verbs that find a board by its name.
of_boards = click.option(
    "--leaderboards",
    type=FOLDER,
    default=Path("leaderboards"),
    show_default=True,
    help="Folder of the boards.",
)
