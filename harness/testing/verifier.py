"""What every verifier must do."""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest

from harness.plugins import Plugins
from harness.protocols import BuildContext, Verifier
from harness.records import JUDGED, Finish, PolicyRef, Rollout, RolloutKey, Sampling, Task, Verdict
from harness.scoring import Scorer, VerifierSpec
from harness.scoring.spec import build

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
            assert verdict.verifier == spec.name.rpartition("/")[2]
            assert verdict.verifier_hash
            assert verdict.verifier_hash == getattr(verifier, "hash", None)

    def test_hostile_completions_are_judged_in_bounded_time(
        self, verifier: Verifier, spec: VerifierSpec, harness_plugins: Plugins
    ) -> None:
        pairs = [
            (replace(case.task, verifier=spec.name), self.rollout(text, finish))
            for case in self.cases[:3]
            for text in HOSTILE.values()
            for finish in FINISHES
        ]
        capabilities = harness_plugins.registry.find("verifiers", self.name).capabilities
        if capabilities.get("bounded"):
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
