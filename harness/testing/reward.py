"""What every reward must do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

import pytest

from harness.contract.protocols import Reward
from harness.contract.records import Span, Verdict
from harness.testing.plugin import Build
from harness.testing.refusing import refusal
from harness.testing.stateful import reborn
from harness.training import border

RIGHT: Final = Verdict(
    status="pass", score=1.0, verifier="tested", verifier_hash="0", extracted="42", tests_run=4,
    tests_passed=4, tests_total=4,
)  # fmt: skip
WRONG: Final = replace(RIGHT, status="fail", score=0.0, tests_passed=0)
#: Two steps of a completion: both right, one of them, none.
STEPS: Final[Mapping[str, Sequence[Span]]] = {
    "right": (Span(0, 8, 1.0), Span(8, 16, 1.0)),
    "mixed": (Span(0, 8, 1.0), Span(8, 16, 0.0)),
    "wrong": (Span(0, 8, 0.0), Span(8, 16, 0.0)),
}
VERDICTS: Final[Mapping[str, Verdict]] = {
    "a right answer": RIGHT,
    "a wrong answer": WRONG,
    "half of the tests": replace(WRONG, status="partial", score=0.5, tests_passed=2),
    "no answer": replace(WRONG, status="no_answer", extracted=None),
    "a timeout": replace(WRONG, status="timeout", reason="wall clock"),
    "parts": replace(RIGHT, parts=(("format", 1.0), ("answer", 0.0))),
    **{f"a right answer, {name} steps": replace(RIGHT, spans=tuple(s)) for name, s in STEPS.items()},
    **{f"a wrong answer, {name} steps": replace(WRONG, spans=tuple(s)) for name, s in STEPS.items()},
}


class RewardConformance:
    """Subclass with the registered name and options."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: Whether right steps of a wrong answer may earn something. Then they must still earn less than any right
    #: answer; otherwise, as a process reward gated by its outcome has it, exactly what wrong steps earn.
    pays_steps_of_wrong_answers: ClassVar[bool] = False
    #: Verdicts of the plugin's own verifier that it must understand, besides those of the suite.
    verdicts: ClassVar[Sequence[Verdict]] = ()

    @pytest.fixture
    def make(self, harness_build: Build) -> Build:
        def make() -> Reward:
            reward: Reward = harness_build("rewards", self.name, **self.options)
            return reward

        return make

    def value(self, reward: Reward, verdict: Verdict) -> float | None:
        """The number as a run would take it."""
        return border.reward(reward(verdict), self.name)

    def all_verdicts(self) -> list[Verdict]:
        return [*VERDICTS.values(), *self.verdicts]

    def test_every_judged_verdict_has_a_finite_number_or_none(self, make: Build) -> None:
        reward = make()
        for verdict in self.all_verdicts():
            self.value(reward, verdict)

    def test_an_incomplete_verdict_has_a_number_or_a_named_error(self, make: Build) -> None:
        stopped = replace(WRONG, tests_run=1, tests_total=4, complete=False, reason="stopped at the first")
        error = refusal(lambda: self.value(make(), stopped))
        assert not error or "reward" in error, f"the error does not say that a reward is to blame: {error}"

    def test_a_right_answer_earns_more_than_a_wrong_one(self, make: Build) -> None:
        reward = make()
        right, wrong = self.value(reward, RIGHT), self.value(reward, WRONG)
        assert right is not None, "a right answer is masked out of the loss"
        assert wrong is None or right > wrong, f"a right answer earns {right}, a wrong one {wrong}"

    def test_right_steps_do_not_make_a_wrong_answer_right(self, make: Build) -> None:
        """A process reward needs a gate: the outcome."""
        reward = make()
        paid = {
            (outcome, steps): self.value(reward, VERDICTS[f"a {outcome} answer, {steps} steps"])
            for outcome in ("right", "wrong")
            for steps in STEPS
        }
        least = min((v for (outcome, _), v in paid.items() if outcome == "right" and v is not None))
        for steps in STEPS:
            wrong = paid["wrong", steps]
            assert wrong is None or wrong < least, (
                f"a wrong answer with {steps} steps earns {wrong}, a right answer {least}: "
                "the process reward is not gated by the outcome"
            )
            assert self.pays_steps_of_wrong_answers or wrong == paid["wrong", "wrong"], (
                f"a wrong answer earns {wrong} for {steps} steps and {paid['wrong', 'wrong']} for wrong "
                "ones: the process reward is not gated by the outcome"
            )

    def test_better_steps_do_not_earn_less(self, make: Build) -> None:
        reward = make()
        paid = [self.value(reward, VERDICTS[f"a right answer, {steps} steps"]) for steps in STEPS]
        known = [value for value in paid if value is not None]
        assert known == sorted(known, reverse=True), (
            f"right, mixed and wrong steps of a right answer earn {paid}"
        )

    def test_the_same_verdicts_earn_the_same(self, make: Build) -> None:
        first, second = make(), make()
        earned = [self.value(first, verdict) for verdict in self.all_verdicts()]
        assert [self.value(second, verdict) for verdict in self.all_verdicts()] == earned

    def test_a_restored_state_goes_on_as_if_unbroken(self, make: Build) -> None:
        reward = make()
        whole = [self.value(reward, verdict) for verdict in self.all_verdicts() * 2]
        reward = make()
        first = [self.value(reward, verdict) for verdict in self.all_verdicts()]
        reward = reborn(reward, make)
        assert first + [self.value(reward, verdict) for verdict in self.all_verdicts()] == whole, (
            "other rewards after its state went through JSON: state_dict leaves something out, "
            "or load_state_dict does not take it back"
        )
