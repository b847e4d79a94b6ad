"""Measuring how hard subjects are for a policy."""

from harness import hookimpl
from harness.plugins import Register


@hookimpl
def register_difficulty_estimators(register: Register) -> None:
    register(
        "pass-rate",
        "harness_difficulty.pass_rate:PassRate",
        options="harness_difficulty.options:PassRateOptions",
        capabilities={"sequential": True},
        summary="observed pass rates; stops sampling a subject once its posterior is decisive",
    )
