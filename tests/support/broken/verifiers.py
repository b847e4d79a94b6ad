"""Verifiers of steps, each with one mistake, and a whole one."""

import re
from dataclasses import replace

from harness import hookimpl
from harness.contract.records import Span, Verdict
from harness.recipe import Model
from harness.recording.provenance import verifier_hash


class Options(Model):
    strip: bool = True
    """Whether white space around the answer is ignored."""


class Whole:
    """A step per line `a = b`, and the last line is the answer."""

    def __init__(self, options, context):
        self.options, self.hash = options, verifier_hash(__name__, options=options)

    def open(self):
        """Needs nothing."""

    def close(self):
        """Holds nothing."""

    def verify(self, task, rollout):
        answer = rollout.text.rpartition("\n")[2]
        answer = answer.strip() if self.options.strip else answer
        passed = answer == str(task.answer) and rollout.finish == "stop"
        spans = tuple(
            Span(step.start(), step.end(), float(step["left"] == step["right"]))
            for step in re.finditer(r"^(?P<left>\d{1,9}) = (?P<right>\d{1,9})$", rollout.text, re.MULTILINE)
        )
        return self.verdict(passed, spans)

    def verdict(self, passed, spans):
        return Verdict(
            status="pass" if passed else "fail", score=float(passed), verifier="local/" + type(self).__name__,
            verifier_hash=self.hash, spans=spans,
        )  # fmt: skip


class NoOptions(Whole):
    def __init__(self, options, context):
        self.options, self.hash = options, verifier_hash(__name__)


class Ungated(Whole):
    def verdict(self, passed, spans):
        share = sum(span.score for span in spans) / len(spans) if spans else 0.0
        return replace(super().verdict(passed, spans), score=1.0 if passed else 0.33 * share)


class Misplaced(Whole):
    def verdict(self, passed, spans):
        return super().verdict(passed, tuple(Span(s.start + 500, s.end + 500, s.score) for s in spans))


class Overlapping(Whole):
    def verdict(self, passed, spans):
        return super().verdict(passed, tuple(Span(0, s.end, s.score) for s in spans))


@hookimpl
def register_verifiers(register):
    for made in (Whole, NoOptions, Ungated, Misplaced, Overlapping):
        register(
            made.__name__, f"harness_plugin:{made.__name__}", options="harness_plugin:Options",
            capabilities={"bounded": True, "in_process": True},
        )  # fmt: skip
