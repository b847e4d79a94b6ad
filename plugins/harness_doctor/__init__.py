"""The command `harness doctor`: what this machine has for the harness, and what mends it."""

from __future__ import annotations

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_commands(register: Register) -> None:
    register(
        "doctor",
        "harness_doctor.cli:command",
        summary="Examine this machine and installation; say how to mend what is wrong.",
    )
