"""Verifier `steps`: the outcome is what the program prints; each step of the trace is a span.

A completion is a line per step and then `>` with what was printed. It passes if the last line is right and
nothing was cut. A step is right if the run's step of the same number reads the same, so that one step too
many makes all later ones wrong. Steps never make a wrong answer right: the reward `gated` reads them.
"""

from __future__ import annotations

from harness.contract import BuildContext, Rollout, Span, Task, Verdict
from harness.recording import verifier_hash

NAME = "staged-harness-codethinker/steps"
#: Beyond this many lines of a completion no span is made: no trace is as long.
MOST_STEPS = 1000


class Steps:
    """Judges by the trace in the task's `meta["steps"]` (protocol `Verifier`)."""

    def __init__(self, options: None, context: BuildContext) -> None:
        self.hash = verifier_hash(__name__)

    def open(self) -> None:
        """Nothing to acquire."""

    def check(self, task: Task) -> str | None:
        """Why no completion of the task could be judged."""
        if not isinstance(task.answer, str) or not isinstance(task.meta.get("steps"), list):
            return "its answer is not text, or it has no meta['steps']: take tasks of traced-programs"
        return None

    def verify(self, task: Task, rollout: Rollout) -> Verdict:
        """The evidence about one rollout, with a span per step."""
        body, _, last = rollout.text.rpartition("\n")
        said = last[1:] if last.startswith(">") else None
        right = said == task.answer and not rollout.truncated
        spans = _spans(rollout.text if said is None else body, task.meta["steps"])
        return Verdict(
            status="pass" if right else "no_answer" if said is None else "fail",
            score=float(right),
            verifier=NAME,
            verifier_hash=self.hash,
            extracted=None if said is None else said[:200].encode(errors="replace").decode(),
            parts=(("steps", float(len(task.meta["steps"]))),),
            spans=spans,
        )

    def close(self) -> None:
        """Nothing to give back."""


def _spans(text: str, steps: list[str]) -> tuple[Span, ...]:
    """A span per line of a trace."""
    spans: list[Span] = []
    start = 0
    for line in text.split("\n", MOST_STEPS)[:MOST_STEPS]:
        if line:
            number = len(spans)
            score = float(number < len(steps) and line == steps[number])
            spans.append(Span(start, start + len(line), score))
        start += len(line) + 1
    return tuple(spans)
