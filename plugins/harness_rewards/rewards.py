"""The rewards themselves. A reward refuses evidence that is not complete enough for it."""

from __future__ import annotations

from harness.contract import BuildContext, Reward, TrainingError, Verdict
from harness_rewards.options import GatedOptions


class AllPass:
    """1 if everything asked for is right, else 0."""

    def __init__(self, options: None, context: BuildContext) -> None:
        pass

    def __call__(self, verdict: Verdict) -> float:
        return 1.0 if verdict.status == "pass" else 0.0


class Fraction:
    """The score in [0, 1]: for programs, tests passed of all tests (section 3.2 of arXiv 2504.00829)."""

    def __init__(self, options: None, context: BuildContext) -> None:
        pass

    def __call__(self, verdict: Verdict) -> float:
        """Raises TrainingError if the verifier stopped early, so that there is no fraction."""
        if verdict.status != "pass" and not verdict.complete:
            raise TrainingError(
                f"needs all tests run, but {verdict.verifier!r} stopped at the first failure",
                where="reward 'fraction'",
                hint='let the verifier run all tests, or use reward = "all_pass"',
            )
        return float(verdict.score or 0.0)


class Gated:
    """outcome * (1 + weight * share of right steps), as CodeThinker (arXiv 2605.17958) gates a process
    reward by its outcome: right steps of a wrong answer earn nothing. A verdict without spans has no
    share to add."""

    def __init__(self, options: GatedOptions | None, context: BuildContext) -> None:
        self.options = options or GatedOptions()
        outcome = AllPass if self.options.outcome == "all_pass" else Fraction
        self._outcome: Reward = outcome(None, context)

    def __call__(self, verdict: Verdict) -> float | None:
        outcome, spans = self._outcome(verdict), verdict.spans
        if outcome is None:
            return None
        share = sum(span.score >= self.options.right for span in spans) / len(spans) if spans else 0.0
        return outcome * (1 + self.options.weight * share)
