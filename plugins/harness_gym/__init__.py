"""Procedural tasks of reasoning-gym, and the verifier that asks its scorers."""

from harness import hookimpl
from harness.plugging import Register

HARNESS_CODE = ("harness_tasks", "harness_runner")


@hookimpl
def register_task_sources(register: Register) -> None:
    register(
        "reasoning-gym",
        "harness_gym.source:Gym",
        options="harness_gym.options:GymOptions",
        extra="gym",
        summary="one of the hundred data sets of reasoning-gym; its curriculum's levels are the strata",
    )


@hookimpl
def register_verifiers(register: Register) -> None:
    # Some of its scorers parse answers with sympy, so they have to run where they can be killed.
    register(
        "reasoning-gym",
        "harness_gym.verifier:GymVerifier",
        options="harness_gym.options:GymVerifierOptions",
        extra="gym",
        summary="the scorer of the reasoning-gym data set that a task comes from",
    )
