"""Estimators, each with one mistake, and a whole one."""

import math
from dataclasses import fields, replace

from harness_difficulty.options import PassRateOptions
from harness_difficulty.pass_rate import PassRate

from harness import hookimpl
from harness.contract.records import Difficulty

OWN_FIELDS = {"irt_a", "irt_b"} <= {field.name for field in fields(Difficulty)}


def fitted(label, a, b):
    return replace(label, irt_a=a, irt_b=b) if OWN_FIELDS else replace(label, extra={"a": a, "b": b})


class Whole(PassRate):
    """Item response theory with one ability: b is minus the logit of the pass rate."""

    def __init__(self, options, context):
        super().__init__(PassRateOptions(tasks=16, samples=4), context)

    def fit(self, outcomes):
        return {subject: self.item(label) for subject, label in outcomes.items()}

    def item(self, label):
        return fitted(label, 1.0, -math.log(label.mean / (1 - label.mean)))


class Swapped(Whole):
    def item(self, label):
        return fitted(label, -math.log(label.mean / (1 - label.mean)), 1.0)


class Storing(Whole):
    def item(self, label):
        return replace(label, samples=label.samples + 64, passes=label.passes + round(64 * label.mean))


class Wandering(Whole):
    """Reads the prompt of a subject that it was not asked about."""

    def look(self, prompt):
        self.prompt = prompt

    def fit(self, outcomes):
        self.prompt("another")
        return super().fit(outcomes)


class Drifting(Whole):
    """Adds to what it predicts at each look."""

    looks = 0

    def look(self, prompt):
        self.looks += 1

    def item(self, label):
        return replace(super().item(label), predicted=1 / (1 + self.looks))


@hookimpl
def register_difficulty_estimators(register):
    for made in (Whole, Swapped, Storing, Wandering, Drifting):
        register(made.__name__, f"harness_plugin:{made.__name__}")
