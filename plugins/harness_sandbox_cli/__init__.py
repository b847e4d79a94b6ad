"""The command `harness sandbox`: build sandboxes, check that they contain, measure and serve them."""

from __future__ import annotations

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_commands(register: Register) -> None:
    register(
        "sandbox",
        "harness_sandbox_cli.cli:command",
        summary="Build, check and measure sandboxes for programs.",
    )
