"""That a stage is trained as it says: its data, its sampling, its optimizer, its end."""

from __future__ import annotations

import pytest

from harness.contract.capabilities import TrainerCapabilities
from harness.testing.trainer_bench import TrainerBench
from harness.testing.workbench import Workbench


class StageUse(TrainerBench):
    """What stages change, and when they end."""

    def test_each_stage_samples_as_it_says(self, bench: Workbench) -> None:
        short = max(1, self.max_tokens // 2)
        record = bench.run(
            self.recipe(
                {"max_steps": 1},
                {
                    "max_steps": 2,
                    "rollout": {"n": 2, "batch": 3, "temperature": 0.7, "max_tokens": short},
                },
            )
        )
        first, second = self.groups(record, "stage1"), self.groups(record, "stage2")
        assert [len(first), len(second)] == [self.batch, 6]
        assert {g.size for g in first} == {self.n}
        assert {g.size for g in second} == {2}
        assert max(length for g in first for length in g.lengths) <= self.max_tokens
        assert max(length for g in second for length in g.lengths) <= short
        for group in second:
            for cut, length in zip(group.truncated, group.lengths, strict=True):
                assert not cut or length == short
            for rollout in group.rollouts or ():
                assert rollout.sampling.temperature == 0.7
        assert record.trained[1][0].ref == record.trained[0][1].ref, "a stage starts where the last ended"

    def test_the_learning_rate_is_the_stages_own(self, bench: Workbench) -> None:
        rates = (self.lr, self.lr / 3)
        runs = [
            bench.run(self.recipe({"max_steps": 1, "optimizer": {"lr": lr}}), f"run-{i}")
            for i, lr in enumerate(rates)
        ]
        assert [run.metrics()[0].learning_rate for run in runs] == [pytest.approx(lr) for lr in rates]
        assert self.numbers(runs[0].metrics())[0]["reward_mean"] == runs[1].metrics()[0].reward_mean
        first, second = (run.trained[0][1].ref.weights_sha for run in runs)
        assert first != second

    def test_training_on_what_it_solves_sometimes_changes_the_weights(self, bench: Workbench) -> None:
        record = bench.run(self.recipe({"gates": [{"name": "mixed-outcomes", "max_refills": 50}]}))
        ((before, after),) = record.trained
        assert before.ref.weights_sha != after.ref.weights_sha

    def test_a_stage_trains_on_what_it_selects(self, bench: Workbench) -> None:
        stages = [
            {"max_steps": 2, "select": rule} for rule in ("chance(0.5, seed=1)", "not chance(0.5, seed=1)")
        ]
        record = bench.run(self.recipe(*stages))
        first, second = ({t.subject for t in self.tasks_of(record, f"stage{i}")} for i in (1, 2))
        assert first
        assert second
        assert not first & second
        assert {g.subject for g in self.groups(record, "stage2")} <= second

    def test_a_stage_mixes_as_it_says(self, bench: Workbench) -> None:
        if not self.mixture:
            pytest.skip("the suite was given no two tags or domains (`mixture`)")
        one, other = self.mixture
        record = bench.run(
            self.recipe(
                {"max_steps": 1, "mixture": {one: 0.75, other: 0.25}},
                {"max_steps": 1, "mixture": {other: 1.0}},
            )
        )
        for stage, share in (("stage1", 0.75), ("stage2", 0.0)):
            tasks = self.tasks_of(record, stage)
            of_one = sum(one in (task.domain, *task.tags) for task in tasks)
            assert of_one == pytest.approx(share * len(tasks), abs=0.5)

    def test_the_learning_rate_changes_from_stage_to_stage_and_warms_up(self, bench: Workbench) -> None:
        warm = {"lr": self.lr / 2, "warmup_steps": 2}
        record = bench.run(
            self.recipe({"max_steps": 2, "optimizer": {"lr": self.lr}}, {"max_steps": 3, "optimizer": warm})
        )
        half = self.lr / 2
        rates = [m.learning_rate for m in record.metrics()]
        assert rates == [pytest.approx(rate) for rate in (self.lr, self.lr, half / 2, half, half)]

    def test_moments_live_on_from_stage_to_stage_unless_they_are_reset(
        self, bench: Workbench, able: TrainerCapabilities
    ) -> None:
        if able.simulated:
            pytest.skip("a simulation has no moments")
        gated = self.gated(able)
        weights = []
        for reset in (False, True):
            optimizer = {"lr": self.lr, "reset": reset}
            record = bench.run(
                self.recipe({"max_steps": 2, **gated}, {"max_steps": 1, **gated, "optimizer": optimizer}),
                f"reset-{reset}",
            )
            weights.append([policy.ref.weights_sha for _, policy in record.trained])
        assert weights[0][0] == weights[1][0], "the first stages are the same"
        assert weights[0][1] != weights[1][1], "without its moments AdamW takes another step"

    def test_a_stage_ends_by_its_own_rule(self, bench: Workbench) -> None:
        a_step = self.batch * self.n
        record = bench.run(
            self.recipe({"until": {"rollouts": 2 * a_step}, "max_steps": None}, {"until": {"steps": 1}})
        )
        ended = record.lines("stage_finished")
        assert [line["step"] for line in ended] == [2, 1]
        assert "rollouts" in ended[0]["reason"]
        assert [m.stage for m in record.metrics()] == ["stage1", "stage1", "stage2"]

    def test_the_runs_budget_ends_it(self, bench: Workbench) -> None:
        budget = 2 * self.batch * self.n
        record = bench.run(self.recipe({"max_steps": None}, budget={"rollouts": budget}))
        assert sum(m.rollouts for m in record.metrics()) == budget
        assert "budget" in record.lines("stage_finished")[-1]["reason"]
