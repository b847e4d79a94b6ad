"""The suite of each plugin in trackers.py."""

import json

from harness.testing import TrackerConformance


class OfLines(TrackerConformance):
    def path(self, run):
        return run.info.folder / "tracked.jsonl"

    def shown(self, run):
        lines = [json.loads(line) for line in self.path(run).read_text().splitlines()]
        return {line["step"]: line["pass_rate"] for line in lines if "pass_rate" in line}


class TestWhole(OfLines):
    name = "local/Whole"


class TestAnew(OfLines):
    name = "local/Anew"


class TestRefusing(OfLines):
    name = "local/Refusing"


class TestOnce(OfLines):
    name = "local/Once"


class TestAveraging(OfLines):
    name = "local/Averaging"


class TestHoarding(OfLines):
    name = "local/Hoarding"


class TestLate(OfLines):
    name = "local/Late"


class TestShared(OfLines):
    name = "local/Shared"

    def path(self, run):
        return run.info.folder.parents[1] / "main-0.jsonl"


class TestTampering(OfLines):
    name = "local/Tampering"
