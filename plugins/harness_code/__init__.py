"""Judging programs: what they print or return is compared here, outside the sandbox they ran in."""

from __future__ import annotations

from harness import hookimpl
from harness.plugging import Register

#: Modules that other plugins may import.
PUBLIC = ("cases", "compare", "corpus", "judge", "plus", "results", "verifier")


@hookimpl
def register_verifiers(register: Register) -> None:
    register(
        "code",
        "harness_code.verifier:CodeVerifier",
        options="harness_code.verifier:CodeOptions",
        capabilities={"submits": True},
        summary="runs the last fenced block in a sandbox and compares outside",
    )
