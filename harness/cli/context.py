"""What a verb may know of the command line it stands in."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from harness.plugging.plugins import Plugins, load, local_file


def blocked() -> tuple[str, ...]:
    """Names given to the global `--no-plugin`."""
    names: tuple[str, ...] = click.get_current_context().find_root().params.get("no_plugin", ())
    return names


@contextmanager
def resumable(verb: str, folder: Path) -> Iterator[None]:
    """Tell the user how to continue after an interrupt."""
    try:
        yield
    except KeyboardInterrupt as stop:
        # Click makes an Abort of every interrupt; this one carries the next step.
        raise click.Abort(f"harness {verb} --resume {shlex.quote(str(folder))}") from stop


def load_plugins(recipe: Path | None = None) -> Plugins:
    """The plugins of this command line, with the one-file plugin beside `recipe` if there is one."""
    return load(block=blocked(), local=None if recipe is None else local_file(recipe))
