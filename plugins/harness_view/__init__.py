"""The command `harness view`: studies, evaluations and boards as local web pages, running ones live."""

from __future__ import annotations

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_commands(register: Register) -> None:
    register(
        "view",
        "harness_view.cli:command",
        extra="view",
        summary="Look inside runs, evaluations and boards in a browser.",
    )
