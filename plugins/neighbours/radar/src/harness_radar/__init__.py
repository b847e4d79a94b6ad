"""RADAR (arXiv 2509.25426): a router by item response theory over configurations.

This module is imported at every start of `harness`, so it imports nothing heavy.
"""

from harness import hookimpl
from harness.plugging import Register

#: Features of texts come from there.
HARNESS_CODE = ("harness_difficulty",)


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
        summary="what texts say of items that nobody ran; the front of cost and accuracy, as SVG",
    )
