"""What every verifier must do."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest

from harness.contract.capabilities import VerifierCapabilities
from harness.contract.members import member
from harness.contract.protocols import BuildContext, Verifier
from harness.contract.records import JUDGED, Finish, PolicyRef, Rollout, RolloutKey, Sampling, Task, Verdict
from harness.plugging.plugins import Plugins
from harness.scoring import Scorer, VerifierSpec
from harness.scoring.spec import build, hash_of
from harness.testing.other_values import other_values
from harness.testing.plugin import Build

#: Completions that are built to hang, crash or confuse.
HOSTILE: Mapping[str, str] = {
    "empty": "",
    "blank": " \n\t ",
    "nul": "\x00\x00",
    "surrogate": "\ud800",
    "long": "x" * 200_000,
    "digits": "9" * 100_000,
    "tower": "9**9**9**9**9",
    "latex-tower": r"\boxed{10^{10^{10^{10}}}}",
    "factorial": r"\boxed{100000!!!}",
    "nesting": "(" * 20_000 + "1" + ")" * 20_000,
    "braces": r"\boxed{" * 5_000,
    "fractions": r"\frac{" * 2_000 + "1" + "}{2}" * 2_000,
    "redos": "a" * 5_000 + "!" + " " * 5_000 + "\n" * 5_000,
    "code": "__import__('os').system('exit 1')",
    "markup": "<think>" * 3_000,
}


#: Completions in which a step is easily misplaced: nothing, white space, characters of several bytes.
STEPLESS: Sequence[str] = ("", "  ", "\n\n\n", "h\u00e9llo\r\nw\u00f6rld 42", "\U0001f600 \U0001f600\n7\n")

FINISHES: Sequence[Finish] = ("stop", "length")


@dataclass(frozen=True, slots=True)
class VerifierCase:
    """A task with completions that are right and completions that are wrong."""

    task: Task
    right: Sequence[str]
    #: Near misses: perturbed golds that must not pass.
    wrong: Sequence[str]


class VerifierConformance:
    """Subclass with the registered name and `cases`."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    cases: ClassVar[Sequence[VerifierCase]]
    #: CPU seconds that a hostile completion may cost.
    bound: ClassVar[float] = 2.0
    #: Whether a completion that was cut at max_tokens may pass when its answer is whole.
    truncated_may_pass: ClassVar[bool] = False

    #: Whether a wrong answer may have a score above 0: the share of a program's tests that pass, for one.
    partial_credit: ClassVar[bool] = False
    #: Options that change no verdict, so that the hash need not cover them.
    unhashed: ClassVar[Sequence[str]] = ()
    #: Further values of options to build it with, if the suite finds none by itself.
    other_options: ClassVar[Mapping[str, Any]] = {}

    @pytest.fixture
    def spec(self, harness_plugins: Plugins, build_context: BuildContext) -> VerifierSpec:
        registration = harness_plugins.registry.find("verifiers", self.name)
        return VerifierSpec.of(registration, self.options, context=build_context)

    @pytest.fixture
    def verifier(self, spec: VerifierSpec) -> Any:
        verifier = build(spec, {spec.name: spec})
        verifier.open()
        yield verifier
        verifier.close()

    @staticmethod
    def rollout(text: str, finish: Finish = "stop") -> Rollout:
        return Rollout(
            key=RolloutKey("run", "eval", "", 0, "task", 0), prompt_ids=(1,), completion_ids=(2, 3),
            text=text, finish=finish, policy=PolicyRef(weights_sha="0"), sampling=Sampling(),
        )  # fmt: skip

    @staticmethod
    def plain(verdict: Verdict) -> Verdict:
        return replace(verdict, seconds=0.0)

    def pairs(self) -> list[tuple[Task, Rollout]]:
        return [(c.task, self.rollout(text)) for c in self.cases for text in (*c.right, *c.wrong)]

    def test_gold_passes_with_full_score(self, verifier: Verifier) -> None:
        for case in self.cases:
            for text in case.right:
                verdict = verifier.verify(case.task, self.rollout(text))
                assert (verdict.status, verdict.score) == ("pass", 1.0), (text, verdict)

    def test_perturbed_gold_does_not_pass(self, verifier: Verifier) -> None:
        for case in self.cases:
            for text in case.wrong:
                verdict = verifier.verify(case.task, self.rollout(text))
                assert verdict.status in JUDGED - {"pass"}, (text, verdict)
                assert verdict.score is not None
                assert 0 <= verdict.score < 1, (text, verdict)

    def test_a_cut_completion_does_not_pass_by_accident(self, verifier: Verifier) -> None:
        for case in self.cases:
            for text in case.right:
                cut = text[: len(text) // 2]
                verdict = verifier.verify(case.task, self.rollout(cut, "length"))
                assert verdict.status != "pass", (cut, verdict)
                whole = verifier.verify(case.task, self.rollout(text, "length"))
                assert whole.status != "pass" or self.truncated_may_pass, (text, whole)

    def test_verdicts_are_pure(self, verifier: Verifier, spec: VerifierSpec) -> None:
        first = [self.plain(verifier.verify(*pair)) for pair in self.pairs()]
        backwards = [self.plain(verifier.verify(*pair)) for pair in reversed(self.pairs())]
        assert backwards[::-1] == first
        again = build(spec, {spec.name: spec})
        again.open()
        assert [self.plain(again.verify(*pair)) for pair in self.pairs()] == first
        again.close()

    def test_a_worker_that_rebuilds_it_by_name_agrees(self, verifier: Verifier, spec: VerifierSpec) -> None:
        assert pickle.loads(pickle.dumps(spec)) == spec
        pairs = [(replace(task, verifier=spec.name), rollout) for task, rollout in self.pairs()]
        here = [self.plain(verifier.verify(*pair)) for pair in pairs]
        with Scorer({spec.name: replace(spec, in_process=False)}, workers=1, deadline=30.0) as scorer:
            assert [self.plain(verdict) for verdict in scorer.score_many(pairs)] == here

    def test_verdicts_say_who_judged(self, verifier: Verifier, spec: VerifierSpec) -> None:
        for pair in self.pairs():
            verdict = verifier.verify(*pair)
            names = (spec.name, spec.name.rpartition("/")[2])
            assert verdict.verifier in names, f"it calls itself {verdict.verifier!r}; allowed: {names}"
            assert verdict.verifier_hash, "verifier_hash is empty, so nobody can tell which code judged"
            assert verdict.verifier_hash == member("verifiers", verifier, "hash"), (
                "the verdict's verifier_hash is not the verifier's `hash`"
            )

    def test_the_hash_covers_the_options(
        self, spec: VerifierSpec, verifier: Verifier, harness_plugins: Plugins
    ) -> None:
        """Scores that were judged otherwise must not compare."""
        model = harness_plugins.registry.find("verifiers", self.name).options_model()
        others = {} if model is None else other_values(model, self.options)
        others |= self.other_options
        for option, value in others.items():
            if option in self.unhashed:
                continue
            changed = build(replace(spec, options={**self.options, option: value}), {spec.name: spec})
            assert hash_of(changed) != hash_of(verifier), (
                f"the hash leaves the option {option!r} out: it is {hash_of(verifier)} with the value "
                f"{value!r}, too (name it in `unhashed` if it changes no verdict)"
            )

    def test_what_the_engine_gave_up_is_no_failure(self, spec: VerifierSpec, verifier: Verifier) -> None:
        """The scorer answers for it; no verifier is asked."""
        (case, *_) = self.cases
        task = replace(case.task, verifier=spec.name)
        lost = replace(self.rollout(case.right[0], "abort"), reason="the server is gone")
        with Scorer({spec.name: spec}, workers=1, deadline=30.0) as scorer:
            (verdict,) = scorer.score_many([(task, lost)])
        assert (verdict.status, verdict.score) == ("infra_error", None), verdict
        assert "the server is gone" in verdict.reason
        assert verdict.verifier_hash == hash_of(verifier)

    def test_steps_lie_in_the_text_and_in_order(self, verifier: Verifier) -> None:
        hostile = [(case.task, self.rollout(text)) for case in self.cases[:1] for text in STEPLESS]
        for task, rollout in self.pairs() + hostile:
            end = 0
            for span in verifier.verify(task, rollout).spans:
                where = f"span {span.start}:{span.end} of a text of {len(rollout.text)} characters"
                assert 0 <= span.start < span.end <= len(rollout.text), f"{where} lies outside of it"
                assert span.start >= end, f"{where} begins before the one before it ends, at {end}"
                assert 0 <= span.score <= 1, f"{where} has the score {span.score}; allowed: 0 to 1"
                end = span.end

    def test_a_wrong_answer_earns_nothing_by_its_steps(
        self, verifier: Verifier, harness_build: Build
    ) -> None:
        """A process reward has a gate: the outcome."""
        gated = harness_build("rewards", "gated")
        for case in self.cases:
            best = min(gated(verifier.verify(case.task, self.rollout(text))) for text in case.right)
            for text in case.wrong:
                verdict = verifier.verify(case.task, self.rollout(text))
                assert self.partial_credit or not verdict.score, (
                    f"a wrong answer has the score {verdict.score}: the process reward is not gated by the "
                    f"outcome (set `partial_credit` if parts of an answer count): {text!r}"
                )
                assert gated(verdict) < best, (text, verdict)

    def test_hostile_completions_are_judged_in_bounded_time(
        self, verifier: Verifier, spec: VerifierSpec, harness_plugins: Plugins
    ) -> None:
        pairs = [
            (replace(case.task, verifier=spec.name), self.rollout(text, finish))
            for case in self.cases[:3]
            for text in HOSTILE.values()
            for finish in FINISHES
        ]
        able = harness_plugins.registry.find("verifiers", self.name).able(VerifierCapabilities)
        if able.bounded:
            verdicts = [self._in_time(verifier, *pair) for pair in pairs]
        else:
            # Not bounded by construction: a worker's deadline is what bounds it.
            judged = replace(spec, in_process=False)
            with Scorer({spec.name: judged}, workers=1, deadline=self.bound) as scorer:
                verdicts = scorer.score_many(pairs)
        for (_, rollout), verdict in zip(pairs, verdicts, strict=True):
            kind = next(name for name, text in HOSTILE.items() if text == rollout.text)
            assert verdict.status in JUDGED - {"pass"}, (kind, "is the model's fault, never ours", verdict)
            assert verdict.score is not None, (kind, verdict)
            assert 0 <= verdict.score < 1, (kind, verdict)

    def _in_time(self, verifier: Verifier, task: Task, rollout: Rollout) -> Verdict:
        start = time.process_time()
        verdict = verifier.verify(task, rollout)
        spent = time.process_time() - start
        assert spent < self.bound, f"{spent:.1f} CPU seconds for {rollout.text[:40]!r}"
        return verdict
