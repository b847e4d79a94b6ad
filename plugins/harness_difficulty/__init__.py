"""Measuring how hard subjects are for a policy."""

from harness import hookimpl
from harness.plugging import Register

PUBLIC = ("predicting", "text")


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
    register(
        "irt-2pl",
        "harness_difficulty.irt:Irt2pl",
        options="harness_difficulty.options:Irt2plOptions",
        summary="a policy's ability on a 2PL scale, from the items that tell most about it",
    )
    register(
        "pcl",
        "harness_difficulty.pcl:Pcl",
        options="harness_difficulty.options:PclOptions",
        summary="pass rates predicted from prompts, learned from training and from few subjects",
    )


@hookimpl
def register_commands(register: Register) -> None:
    register(
        "irt",
        "harness_difficulty.commands:command",
        summary="fit a scale of items and abilities to outcomes of models or checkpoints (2PL)",
    )
