"""Gates, each with one mistake, and a whole one."""

from harness import hookimpl


class Whole:
    """Keeps mixed groups, and of the others every fourth one."""

    max_refills = 2

    def __init__(self, options, context):
        self.others = 0

    def keep(self, group):
        if group.mixed:
            return True
        self.others += 1
        return self.others % 4 == 0

    def state_dict(self):
        return {"others": self.others}

    def load_state_dict(self, state):
        self.others = state["others"]


class Shut(Whole):
    def keep(self, group):
        return group.mixed and group.size > 1000


class Vague(Whole):
    def keep(self, group):
        return len([reward for reward in group.rewards if reward])


class Forgetful(Whole):
    def load_state_dict(self, state):
        pass


class Endless(Whole):
    max_refills = -1


@hookimpl
def register_gates(register):
    for made in (Whole, Shut, Vague, Forgetful, Endless):
        register(made.__name__, f"harness_plugin:{made.__name__}")
