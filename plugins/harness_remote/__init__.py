"""Sandbox hosts that many trainers share: an HTTP front over a pool, and the kind that asks such fronts."""

from __future__ import annotations

from harness import hookimpl
from harness.plugging import Register

#: Modules that other plugins may import.
PUBLIC = ("options", "serve", "tokens")


@hookimpl
def register_sandboxes(register: Register) -> None:
    register(
        "remote",
        "harness_remote.client:remote",
        options="harness_remote.options:RemoteOptions",
        extra="remote",
        summary="hosts that run `harness sandbox serve`, one or many",
    )
