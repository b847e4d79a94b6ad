"""What a trainer makes of samples that are not plain: lost by its engine, credited per token, replayed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from harness.contract.advantages import group_advantages
from harness.contract.records import Rollout
from harness.testing.stand_ins import AGAIN, PLAIN_CREDIT, offer
from harness.testing.trainer_bench import TrainerBench
from harness.testing.workbench import Workbench

#: Every third sample of training is lost.
EVERY: Final = 3


def lost(rollout: Rollout) -> Rollout:
    """As an engine reports some samples of training: given up, with nothing of an answer."""
    if rollout.key.sample % EVERY:
        return rollout
    return replace(
        rollout, completion_ids=(), text="", finish="abort", logprobs=None, completion_tokens=None,
        reason="the server is gone", prefix=0,
    )  # fmt: skip


class Samples(TrainerBench):
    """Lost, credited and replayed samples."""

    def declares(self, bench: Workbench, capability: str) -> bool:
        """Whether the trainer says so in its registration."""
        name = str(self.trainer["name"])
        return bool(bench.plugins.registry.find("trainers", name).capabilities.get(capability))

    def test_what_the_engine_gives_up_is_no_failure(self, bench: Workbench, able: Any) -> None:
        """An engine that loses a third of the rollouts changes neither the pass rate nor the advantages of
        the others; what it lost is told apart."""
        if self.declares(bench, "simulated"):
            pytest.skip("a simulation has no engine that loses a rollout")
        record = bench.run(self.recipe({"max_steps": 2}), disturbed=lost)
        dropped = len(range(0, self.n, EVERY))
        groups = self.groups(record, "stage1")
        for group in groups:
            assert [r is None for r in group.rewards] == [i % EVERY == 0 for i in range(self.n)]
            expected = group_advantages(group.rewards, epsilon=1e-6, std="sample")
            assert [bool(a) for a in group.advantages] == [bool(a) for a in expected], (
                f"lost samples count in the advantages: {group.advantages} of rewards {group.rewards}"
            )
        for metrics in record.metrics():
            answered = [s for g in groups if g.step == metrics.step for s in g.samples if s.judged]
            passed = sum(s.verdict.status == "pass" for s in answered)
            assert metrics.pass_rate == pytest.approx(passed / len(answered)), (
                f"pass_rate is {metrics.pass_rate}; {passed} of {len(answered)} answered samples passed: "
                "what the engine gave up counts as a failure"
            )
        for line in record.lines("step"):
            assert line["metrics"]["unjudged"] == pytest.approx(dropped / self.n)

    def test_credit_per_token_trains_as_the_same_credit_per_completion(
        self, bench: Workbench, able: Any
    ) -> None:
        if not self.declares(bench, "token_credit"):
            pytest.skip("it does not declare the capability 'token_credit'")
        offer(bench.plugins)
        stage = {"max_steps": 2, **self.gated(able)}
        plain = bench.run(self.recipe(stage), "plain")
        credited = bench.run(self.recipe({**stage, "shapers": [PLAIN_CREDIT]}), "credited")
        assert any(s.credit for g in self.groups(credited, "stage1") for s in g.samples)
        for one, other in zip(plain.metrics(), credited.metrics(), strict=True):
            assert other.reward_mean == one.reward_mean
            for name in ("loss", "grad_norm"):
                assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-4, abs=1e-7), (
                    f"{name} is {getattr(other, name)} with the advantages written out per token and "
                    f"{getattr(one, name)} without"
                )

    def test_replayed_groups_join_the_update_and_are_not_paid_again(
        self, bench: Workbench, able: Any
    ) -> None:
        if not self.declares(bench, "replay"):
            pytest.skip("it does not declare the capability 'replay'")
        offer(bench.plugins)
        stage = {"max_steps": 3, "curriculum": AGAIN, "replay": {"keep": 16}, **self.gated(able)}
        record = bench.run(self.recipe(stage))
        lines = [line["group"] for line in record.lines("group")]
        again = [group for group in lines if _replayed(group)]
        assert again, "no stored group came back"
        trained = [g for call in record.of("collect") for g in call.value.groups]
        assert sum(any(x.replayed for x in g.samples) for g in trained) == len(again), "they miss the batch"
        new = self.n * (len(lines) - len(again))
        spent = record.lines("step")[-1]["spent_rollouts"]
        assert spent == new, (
            f"{spent} rollouts were paid, and {new} were generated: a replayed one costs none"
        )
        told = sum(metrics.rollouts for metrics in record.metrics())
        assert told == new, (
            f"its metrics count {told} rollouts, and {new} were generated: a replayed one costs none"
        )
        for metrics in record.metrics():
            known = [value for value in (metrics.loss, metrics.grad_norm) if value is not None]
            assert all(math.isfinite(value) for value in known), metrics


def _replayed(group: Mapping[str, Any]) -> bool:
    told = group.get("replayed", False)
    return any(told) if isinstance(told, list) else bool(told)
