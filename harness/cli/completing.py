"""Values that a shell completes: names of plugins where an option takes such.

A path stays the shell's matter: where no name fits, it completes files.
"""

from __future__ import annotations

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def names_of(kind: str) -> Completer:
    """Completes names of the plugins of a kind, also after commas; files where none fits."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from harness.plugging.plugins import load

        registry = load(block=ctx.find_root().params.get("no_plugin", ())).registry
        before, comma, word = incomplete.rpartition(",")
        fitting = [
            CompletionItem(f"{before}{comma}{r.full_name}", help=r.summary)
            for r in registry.all(kind)
            if r.full_name.startswith(word)
        ]
        return fitting or [CompletionItem(incomplete, type="file")]

    return complete
