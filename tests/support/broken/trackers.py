"""Trackers with one mistake each, and a whole one."""

import json

from harness import hookimpl


class Whole:
    """A file of lines in the run's folder, which it adds to."""

    mode = "a"

    def __init__(self, options, context):
        self.lines = []

    def path(self, run):
        return run.info.folder / "tracked.jsonl"

    def start(self, run):
        self.file = self.path(run).open(self.mode)

    def log(self, step, values):
        self.file.write(json.dumps({"step": step, **values}) + "\n")

    def close(self, *, finished):
        self.file.close()


class Anew(Whole):
    """Begins again when a run goes on."""

    mode = "w"


class Refusing(Whole):
    """Opens a run that it knows no second time."""

    mode = "x"


class Once(Whole):
    """Takes a step once, though its evaluations come after its metrics."""

    def log(self, step, values):
        if step in self.lines:
            raise ValueError(f"step {step} is known")
        self.lines.append(step)
        super().log(step, values)


class Averaging(Whole):
    """Sums up at the end, if there was a step or not."""

    def log(self, step, values):
        self.lines.append(step)
        super().log(step, values)

    def close(self, *, finished):
        self.file.write(json.dumps({"steps": sum(self.lines) / len(self.lines)}) + "\n")
        super().close(finished=finished)


class Hoarding(Whole):
    """Writes two values at a time, and none of what is left at the end."""

    def log(self, step, values):
        self.lines.append((step, values))
        if len(self.lines) == 4:
            for line in self.lines:
                super().log(*line)
            self.lines = []


class Late(Whole):
    """Takes step 0, before the first one, for none."""

    def log(self, step, values):
        if step:
            super().log(step, values)


class Shared(Whole):
    """Names a run by its arm and seed, which another run has, too."""

    def path(self, run):
        return run.info.folder.parents[1] / f"{run.info.arm}-{run.info.seed}.jsonl"


class Tampering(Whole):
    """Writes into the run's own record."""

    def path(self, run):
        return run.info.folder / "ledger.jsonl"


@hookimpl
def register_trackers(register):
    for made in (Whole, Anew, Refusing, Once, Averaging, Hoarding, Late, Shared, Tampering):
        register(made.__name__, f"harness_plugin:{made.__name__}")
