"""Shapers, each with one mistake, and a whole one."""

import random

from harness import hookimpl


class Whole:
    """Divides each reward by a running mean of rewards, so that it has state."""

    def __init__(self, options, context):
        self.seen, self.total = 0, 0.0

    def rewards(self, group, label):
        known = [reward for reward in group.rewards if reward is not None]
        self.seen, self.total = self.seen + len(known), self.total + sum(known)
        mean = (self.total + 1) / (self.seen + 1)
        return [None if reward is None else reward / mean for reward in group.rewards]

    def advantages(self, group, label):
        return group.advantages

    def state_dict(self):
        return {"seen": self.seen, "total": self.total}

    def load_state_dict(self, state):
        self.seen, self.total = state["seen"], state["total"]


class TooMany(Whole):
    def advantages(self, group, label):
        return [*group.advantages, 0.0]


class TooFew(Whole):
    def rewards(self, group, label):
        return group.rewards[1:]


class NanOnAlikeRewards(Whole):
    def advantages(self, group, label):
        largest = max(map(abs, group.advantages))
        return [a / largest if largest else float("nan") for a in group.advantages]


class Mapping(Whole):
    def advantages(self, group, label):
        return dict(enumerate(group.advantages))


class Unmasking(Whole):
    def rewards(self, group, label):
        return [reward or 0.0 for reward in group.rewards]


class Blaming(Whole):
    def advantages(self, group, label):
        return [a if r is not None else -1.0 for a, r in zip(group.advantages, group.rewards, strict=True)]


class Forgetful(Whole):
    def state_dict(self):
        return {"seen": self.seen, "total": 0.0}


class OwnDice(Whole):
    def advantages(self, group, label):
        return [a * random.random() for a in group.advantages]


class Undeclared(Whole):
    def advantages(self, group, label):
        return [[sample.advantage] * sample.tokens for sample in group.samples]


@hookimpl
def register_shapers(register):
    for made in (
        Whole, TooMany, TooFew, NanOnAlikeRewards, Mapping, Unmasking, Blaming, Forgetful, OwnDice,
        Undeclared,
    ):  # fmt: skip
        register(made.__name__, f"harness_plugin:{made.__name__}")
    register("Crediting", "harness_plugin:Undeclared", capabilities={"token_credit": True})
