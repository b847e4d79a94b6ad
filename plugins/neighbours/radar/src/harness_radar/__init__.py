"""RADAR (arXiv 2509.25426): item response theory over configurations, and a router by it.

This module is imported at every start of `harness`, so it imports nothing heavy.
"""

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_difficulty_estimators(register: Register) -> None:
    register(
        "irt-2pl",
        "harness_radar.estimator:TwoPL",
        options="harness_radar.estimator:Options",
        summary="a policy's ability on a 2PL scale, from the items that tell most about it",
    )


@hookimpl
def register_engines(register: Register) -> None:
    register(
        "router",
        "harness_radar.router:Router",
        options="harness_radar.router:Options",
        summary="each query to the configuration that is just able enough, by ability, difficulty and price",
    )
    register(
        "router-of-models",
        "harness_radar.router:Router",
        options="harness_radar.router:Options",
        # `harness eval` loads no MODEL for it, and no recipe may take it for the policy in training.
        capabilities={"weights": False, "fixed_weights": True},
        summary="as router, between models of their own: none is the policy of the run",
    )


@hookimpl
def register_metrics(register: Register) -> None:
    register(
        "hypervolume",
        "harness_radar.hypervolume:Hypervolume",
        options="harness_radar.hypervolume:Options",
        summary="share of the rectangle of cost and accuracy that an evaluation dominates",
    )


@hookimpl
def register_commands(register: Register) -> None:
    register(
        "radar",
        "harness_radar.commands:command",
        summary="fit a scale to outcomes; the front of cost and accuracy, as SVG",
    )
