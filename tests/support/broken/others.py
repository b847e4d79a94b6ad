"""Plugins of the kinds that read or write something, each with one mistake, and whole ones."""

import subprocess
import sys
from itertools import count

import click

from harness import hookimpl
from harness.contract.errors import DataError
from harness.contract.programs import Raw
from harness.contract.protocols import ModelFiles, Reported
from harness.contract.records import Message, Task

NUMBERS = count()


class WholeFilter:
    def __init__(self, options, context):
        pass

    def keep(self, task):
        return "dull" not in task.tags


class KeepsAll(WholeFilter):
    def keep(self, task):
        return True


class Memory(WholeFilter):
    seen = 0

    def keep(self, task):
        self.seen += 1
        return super().keep(task) and self.seen < 4


class WholeSource:
    """Counts up: a stratum, and a task per index."""

    endless = True

    def __init__(self, options, context):
        pass

    def subjects(self):
        return ["numbers"]

    def draw(self, subject, index):
        if subject != "numbers":
            raise DataError(f"there is no {subject!r}", where="source")
        return self.task(index, index)

    def task(self, index, number):
        return Task(
            id=f"n/{index}", prompt=(Message("user", f"{number}="),), verifier="exact", answer=number,
            stratum="numbers",
        )  # fmt: skip

    def get(self, task_id):
        if not task_id.startswith("n/"):
            raise DataError(f"there is no {task_id!r}", where="source")
        return self.draw("numbers", int(task_id[2:]))


class Repeating(WholeSource):
    def task(self, index, number):
        return super().task(index, number % 5)


class Bare(WholeSource):
    def draw(self, subject, index):
        return self.task(index, {"numbers": index}[subject])


class WholeMetric:
    def __init__(self, options, context):
        pass

    def __call__(self, samples):
        passed = [sample.verdict.status == "pass" for sample in samples]
        return {"share": sum(passed) / max(1, len(passed))}


class NanMetric(WholeMetric):
    def __call__(self, samples):
        share = super().__call__(samples)["share"]
        return {"odds": share / (1 - share) if share < 1 else float("nan")}


class DeafMetric(WholeMetric):
    def __call__(self, samples):
        return {"count": float(len(samples))}


class WholeModel:
    def __init__(self, options, context):
        self.folder, self.name = context.cache / "made" / context.model, context.model

    def load(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "weights").exists():
            (self.folder / "weights").write_text(self.name)
        return ModelFiles(self.folder, self.sha(), 64, False)

    def sha(self):
        return (self.folder / "weights").read_text()


class OneHash(WholeModel):
    def sha(self):
        return "0123456789abcdef"


class WholeBenchmark:
    version = "1-A"

    def __init__(self, options, context):
        pass

    def tasks(self):
        return [
            Task(id=f"p{i}", prompt=(Message("user", f"{i}+{i}="),), verifier="", answer=str(2 * i))
            for i in range(4)
        ]


class Shuffled(WholeBenchmark):
    def tasks(self):
        tasks = super().tasks()
        turn = next(NUMBERS) % 4
        return tasks[turn:] + tasks[:turn]


class Unversioned(WholeBenchmark):
    version = "1.0.0"


class Repeated(WholeBenchmark):
    def tasks(self):
        return [*super().tasks(), *super().tasks()]


class WholeProfile:
    name, verifier = "WholeProfile", "exact"

    def __init__(self, options, context):
        pass

    def describe(self):
        return {
            "name": self.name, "version": "1", "sampling": {"temperature": 0.0, "max_tokens": 16},
            "samples": {"default": 1},
            "domains": {"math": {"prompt": "{problem}", "verifier": self.verifier}},
        }  # fmt: skip


class NoVerifier(WholeProfile):
    name, verifier = "NoVerifier", "exakt"


class WholeReporter:
    def __init__(self, options, context):
        pass

    def report(self, context):
        path = context.folder / "report" / "runs.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(f"{run.arm} {run.seed}\n" for run in context.runs))
        return Reported([path])


class Boasting(WholeReporter):
    def report(self, context):
        return Reported([context.folder / "report.pdf"])


class Tampering(WholeReporter):
    def report(self, context):
        with (context.runs[0].folder / "ledger.jsonl").open("a") as file:
            file.write("\n")
        return super().report(context)


@click.command()
def whole_command():
    """Says hello."""
    click.echo("hello")


@click.command()
def deafening():
    click.echo("hello")


class Blind:
    """Runs programs in plain subprocesses and looks at no exit code."""

    width = 1

    def __init__(self, options, context):
        pass

    async def run(self, job):
        done = subprocess.run(
            [sys.executable, "-c", job.code], input=job.stdin, capture_output=True, timeout=60
        )
        return Raw("ok", 0, done.stdout, done.stderr, b"", 0.1, 0.1, 1.0)

    def close(self):
        """Holds nothing."""


@hookimpl
def register_task_filters(register):
    for made in (WholeFilter, KeepsAll, Memory):
        register(made.__name__, f"harness_plugin:{made.__name__}")


@hookimpl
def register_task_sources(register):
    for made in (WholeSource, Repeating, Bare):
        register(made.__name__, f"harness_plugin:{made.__name__}")


@hookimpl
def register_metrics(register):
    for made in (WholeMetric, NanMetric, DeafMetric):
        register(made.__name__, f"harness_plugin:{made.__name__}")


@hookimpl
def register_models(register):
    for made in (WholeModel, OneHash):
        register(made.__name__, f"harness_plugin:{made.__name__}", capabilities={"simulated": True})


@hookimpl
def register_benchmarks(register):
    for made in (WholeBenchmark, Shuffled, Unversioned, Repeated):
        register(made.__name__, f"harness_plugin:{made.__name__}")


@hookimpl
def register_profiles(register):
    for made in (WholeProfile, NoVerifier):
        register(made.__name__, f"harness_plugin:{made.__name__}")


@hookimpl
def register_reporters(register):
    for made in (WholeReporter, Boasting, Tampering):
        register(made.__name__, f"harness_plugin:{made.__name__}")


@hookimpl
def register_commands(register):
    register("whole", "harness_plugin:whole_command", summary="Says hello.")
    register("deafening", "harness_plugin:deafening", summary="Says hello.")


@hookimpl
def register_sandboxes(register):
    register("Blind", "harness_plugin:Blind")
