"""Measuring how hard subjects are for a policy."""

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_difficulty_estimators(register: Register) -> None:
    register(
        "pass-rate",
        "harness_difficulty.pass_rate:PassRate",
        options="harness_difficulty.options:PassRateOptions",
        summary="observed pass rates; stops sampling a subject once its posterior is decisive",
    )
    register(
        "posterior",
        "harness_difficulty.posterior:Posterior",
        options="harness_difficulty.options:PosteriorOptions",
        summary="pass rates under drift, a verifier's error rates and published priors",
    )
