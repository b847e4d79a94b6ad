"""`harness completion`: what a shell reads to complete verbs, options and names."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import Final

import click
from click.shell_completion import get_completion_class

SHELLS: Final = ("bash", "zsh", "fish")
#: Where each shell reads it at its start.
LINES: Final = {
    "bash": 'eval "$(harness completion bash)"    # in ~/.bashrc',
    "zsh": 'eval "$(harness completion zsh)"     # in ~/.zshrc, after compinit',
    "fish": "harness completion fish | source     # in ~/.config/fish/config.fish",
}


@click.command(epilog="\b\n" + "\n".join(LINES.values()))
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def command(shell: str | None) -> None:
    """Print the completion script of SHELL; by default of the shell that SHELL in the environment names.

    The line below that is yours switches completion on.
    """
    from harness.cli import group

    named = shell or PurePath(os.environ.get("SHELL", "")).name
    completion = get_completion_class(named)
    if completion is None or named not in SHELLS:
        raise click.UsageError(f"which shell? {named!r} has no completion; allowed: {', '.join(SHELLS)}")
    click.echo(completion(group, {}, "harness", "_HARNESS_COMPLETE").source())
