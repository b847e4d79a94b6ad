"""The suite of each plugin in others.py."""

from harness.contract.records import Message, Task
from harness.testing import (
    BenchmarkConformance,
    CommandConformance,
    MetricConformance,
    ModelConformance,
    ProfileConformance,
    ReporterConformance,
    SandboxConformance,
    TaskFilterConformance,
    TaskSourceConformance,
)


def task(name, *tags):
    return Task(id=name, prompt=(Message("user", name),), verifier="exact", answer="", tags=tags)


class Filter(TaskFilterConformance):
    kept = [task("a"), task("b", "fine")]
    dropped = [task("c", "dull"), task("d", "dull", "fine")]


class Model(ModelConformance):
    model = "one"
    other = ("two", {})
    by_name = False


class TestWholeFilter(Filter):
    name = "local/WholeFilter"


class TestKeepsAll(Filter):
    name = "local/KeepsAll"


class TestMemory(Filter):
    name = "local/Memory"


class TestWholeMetric(MetricConformance):
    name = "local/WholeMetric"


class TestNanMetric(MetricConformance):
    name = "local/NanMetric"


class TestDeafMetric(MetricConformance):
    name = "local/DeafMetric"


class TestWholeModel(Model):
    name = "local/WholeModel"


class TestOneHash(Model):
    name = "local/OneHash"


class TestWholeBenchmark(BenchmarkConformance):
    name = "local/WholeBenchmark"


class TestShuffled(BenchmarkConformance):
    name = "local/Shuffled"


class TestUnversioned(BenchmarkConformance):
    name = "local/Unversioned"


class TestRepeated(BenchmarkConformance):
    name = "local/Repeated"


class TestWholeProfile(ProfileConformance):
    name = "local/WholeProfile"


class TestNoVerifier(ProfileConformance):
    name = "local/NoVerifier"


class TestWholeReporter(ReporterConformance):
    name = "local/WholeReporter"


class TestBoasting(ReporterConformance):
    name = "local/Boasting"


class TestTampering(ReporterConformance):
    name = "local/Tampering"


class TestBlind(SandboxConformance):
    name = "local/Blind"


class TestWholeCommand(CommandConformance):
    name = "local/whole"
    arguments = []

    def test_importing_it_is_cheap(self):
        """A one-file plugin is no module."""


class TestDeafening(CommandConformance):
    name = "local/deafening"


class TestWholeSource(TaskSourceConformance):
    name = "local/WholeSource"


class TestRepeating(TaskSourceConformance):
    name = "local/Repeating"


class TestBare(TaskSourceConformance):
    name = "local/Bare"
