"""Rewards: from the evidence about a sample to the number that it is trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import hookimpl

if TYPE_CHECKING:
    from harness.plugging import Register


@hookimpl
def register_rewards(register: Register) -> None:
    register("all_pass", "harness_rewards.rewards:AllPass", summary="1 if everything is right, else 0")
    register("fraction", "harness_rewards.rewards:Fraction", summary="the score: tests passed of all tests")
    register(
        "gated", "harness_rewards.rewards:Gated", options="harness_rewards.options:GatedOptions",
        summary="the outcome, raised by the share of right steps",
    )  # fmt: skip
