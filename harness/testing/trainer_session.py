"""How a trainer uses its session: the order of a step, directives, what it saves and returns."""

from __future__ import annotations

import pytest

from harness.contract.capabilities import TrainerCapabilities
from harness.contract.errors import HarnessError
from harness.testing.trainer_bench import TrainerBench
from harness.testing.workbench import Workbench


class SessionUse(TrainerBench):
    """Steps, directives, checkpoints."""

    def test_a_stage_is_steps_that_end_with_a_checkpoint(self, bench: Workbench) -> None:
        record = bench.run(self.recipe({}))
        assert [m.step for m in record.metrics()] == [1, 2, 3]
        assert all(m.stage == "stage1" for m in record.metrics())
        names = [c.name for c in record.of("finish_step", "directive", "save", "evaluate")]
        assert names == ["finish_step", "directive"] * 3 + ["save"]
        for metrics in record.metrics():
            groups = [g for g in self.groups(record, "stage1") if g.step == metrics.step]
            assert len(groups) == self.batch
            assert metrics.rollouts == self.batch * self.n
            assert metrics.tokens == sum(sum(g.lengths) for g in groups)
            rewards = [r for g in groups for r in g.rewards if r is not None]
            assert metrics.reward_mean == pytest.approx(sum(rewards) / len(rewards))
            passes = sum(g.statuses.count("pass") for g in groups)
            assert metrics.pass_rate == pytest.approx(passes / len(rewards))
            assert metrics.zero_variance_groups == pytest.approx(
                sum(not g.signal for g in groups) / len(groups)
            )
            assert metrics.truncated == pytest.approx(sum(sum(g.truncated) for g in groups) / len(rewards))
            assert metrics.cpu_seconds > 0
            assert metrics.seconds > 0

    def test_what_it_returns_is_what_it_saved(self, bench: Workbench) -> None:
        record = bench.run(self.recipe({}))
        ((before, after),) = record.trained
        checkpoint = record.of("save")[-1].value
        assert after.ref == checkpoint.policy
        assert (after.ref.stage, after.ref.step) == ("stage1", 3)
        assert after.checkpoint is not None
        assert after.checkpoint == record.folder / checkpoint.path
        assert after.files.path == after.checkpoint / "model"
        assert after.files.path.is_dir()
        assert after.files.weights_sha == after.ref.weights_sha != before.ref.weights_sha

    def test_directives_are_obeyed_in_order_and_stop_at_once(
        self, bench: Workbench, able: TrainerCapabilities
    ) -> None:
        recipe = self.recipe({"max_steps": 5}, checkpoints={"every_steps": 2, "keep": 9, "min_free_gb": 0.05})
        inside = able.in_stage_evaluation
        recipe["evaluation"]["every_steps"] = 2
        if not inside:
            with pytest.raises(HarnessError, match="evaluation inside a stage"):
                bench.run(recipe)
            recipe["evaluation"]["every_steps"] = None
        record = bench.run(recipe)
        names = [c.name for c in record.of("finish_step", "evaluate", "save")]
        step, obeyed = ["finish_step"], ["evaluate", "save"] if inside else ["save"]
        assert names == step * 2 + obeyed + step * 2 + obeyed + step + ["save"]

    @pytest.mark.parametrize("every", [2, 1000])
    def test_a_stage_with_nothing_left_to_learn_from_ends_saved(self, bench: Workbench, every: int) -> None:
        kept = {"every_steps": every, "keep": 9, "min_free_gb": 0.05}
        record = bench.run(self.recipe({"max_steps": 5}, checkpoints=kept), exhaust_after=2)
        names = [c.name for c in record.of("finish_step", "exhaust", "save")]
        ends = ["save", "exhaust"] if every == 2 else ["exhaust", "save"]
        assert names == ["finish_step", "finish_step", *ends]
        assert record.of("save")[-1].value.policy == record.trained[0][1].ref
        assert [line["step"] for line in record.lines("stage_finished")] == [2]

    def test_only_kept_groups_reach_the_update(self, bench: Workbench, able: TrainerCapabilities) -> None:
        recipe = self.recipe({"gates": [{"name": "mixed-outcomes", "max_refills": 50}]})
        if not able.dynamic_sampling:
            with pytest.raises(HarnessError, match="dynamic sampling"):
                bench.run(recipe)
            return
        record = bench.run(recipe)
        groups = self.groups(record, "stage1")
        assert groups
        assert all(group.mixed for group in groups)
        assert all(m.zero_variance_groups == 0 for m in record.metrics())
        judged = record.lines("group")
        for metrics in record.metrics():
            of_step = [line for line in judged if line["group"]["step"] == metrics.step]
            assert metrics.discarded_groups == sum(not line["kept"] for line in of_step)
            assert metrics.rollouts == self.n * len(of_step)
