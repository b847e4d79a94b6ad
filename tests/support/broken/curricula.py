"""Curricula, each with one mistake, and whole ones."""

from harness import hookimpl
from harness.contract.protocols import Ask


class Whole:
    """Every subject in turn; of a finite pool once per round."""

    def __init__(self, options, context):
        self.turn, self.step, self.given = 0, 0, set()

    def next(self, k, context):
        if context.step != self.step:
            self.step, self.given = context.step, set()
        subjects, chosen = list(context.pool.subjects), []
        for _ in range(10 * (k + len(subjects))):
            if len(chosen) == k:
                break
            task = context.pool.draw(subjects[self.turn % len(subjects)])
            self.turn += 1
            if task.id not in self.given:
                self.given.add(task.id)
                chosen.append(task)
        return chosen

    def observe(self, group):
        """Learns nothing."""

    def finished(self, history):
        return None

    def state_dict(self):
        return {"turn": self.turn, "step": self.step, "given": sorted(self.given)}

    def load_state_dict(self, state):
        self.turn, self.step, self.given = state["turn"], state["step"], set(state["given"])


class WholeSized(Whole):
    """Four samples at first, and four more for what was answered by some."""

    def next(self, k, context):
        return [Ask(task, 4) for task in super().next(k, context)]

    def more(self, groups, context):
        return [
            Ask(context.pool.draw(group.subject), 4) for group in groups if group.mixed and group.size < 8
        ][:0]


class Empty(Whole):
    """Divides by what was judged: a group that was lost leaves it without anything to draw."""

    weight = 1.0

    def observe(self, group):
        judged = sum(sample.judged for sample in group.samples)
        self.weight *= judged / judged if judged else float("nan")

    def next(self, k, context):
        return super().next(k, context) if self.weight > 0 else []


class Sized(WholeSized):
    pass


class Forgetful(Whole):
    def state_dict(self):
        return super().state_dict() | {"turn": 0}


class Strangers(Whole):
    def more(self, groups, context):
        return [Ask(context.pool.draw(context.pool.subjects[0]), 2)]


@hookimpl
def register_curricula(register):
    for made in (Whole, Empty, Sized, Forgetful):
        register(made.__name__, f"harness_plugin:{made.__name__}")
    for made in (WholeSized, Strangers):
        register(made.__name__, f"harness_plugin:{made.__name__}", capabilities={"group_sizes": True})
