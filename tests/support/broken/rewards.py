"""Rewards, each with one mistake, and whole ones."""

from harness import hookimpl


class Whole:
    """The outcome, and half as much again for right steps; the n-th verdict counts a little more."""

    def __init__(self, options, context):
        self.seen = 0

    def __call__(self, verdict):
        self.seen += 1
        return self.outcome(verdict) * (1 + 0.5 * self.share(verdict)) * (1 + self.seen * 1e-6)

    def outcome(self, verdict):
        return float(verdict.status == "pass")

    def share(self, verdict):
        return sum(span.score for span in verdict.spans) / max(1, len(verdict.spans))

    def state_dict(self):
        return {"seen": self.seen}

    def load_state_dict(self, state):
        self.seen = state["seen"]


class WholePaysSteps(Whole):
    def __call__(self, verdict):
        return self.outcome(verdict) + 0.3 * self.share(verdict)


class Ungated(Whole):
    def __call__(self, verdict):
        return self.outcome(verdict) + 0.33 * self.share(verdict)


class Nan(Whole):
    def __call__(self, verdict):
        return verdict.tests_passed / len(verdict.spans) if verdict.spans else float("nan")


class Backwards(Whole):
    def outcome(self, verdict):
        return float(verdict.status != "pass")


class Forgetful(Whole):
    def state_dict(self):
        return {"seen": 0}


@hookimpl
def register_rewards(register):
    for made in (Whole, WholePaysSteps, Ungated, Nan, Backwards, Forgetful):
        register(made.__name__, f"harness_plugin:{made.__name__}")
