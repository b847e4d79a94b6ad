"""What goes wrong: breaks that are resumed, deadlines, errors that must keep their names."""

from __future__ import annotations

import pytest

from harness.contract.capabilities import TrainerCapabilities
from harness.contract.errors import HarnessError
from harness.contract.judged import LOST_STEPS
from harness.testing.session import INJECTED
from harness.testing.trainer_bench import TrainerBench
from harness.testing.workbench import Recorded, Workbench


class Failures(TrainerBench):
    """Breaks, deadlines, errors."""

    @pytest.mark.parametrize("curriculum", ["uniform", "learnability"])
    def test_a_broken_stage_goes_on_to_the_same_numbers(
        self, bench: Workbench, able: TrainerCapabilities, curriculum: str
    ) -> None:
        if not able.resume:
            pytest.skip("it declares no resume inside a stage")
        if curriculum != "uniform" and able.curriculum_granularity != "step":
            pytest.skip("it takes its tasks by the stage")
        recipe = self.recipe(
            {"max_steps": 5, "optimizer": {"lr": self.lr, "warmup_steps": 4}, "curriculum": curriculum},
            {"max_steps": 2, "curriculum": curriculum},
            checkpoints={"every_steps": 2, "keep": 9, "min_free_gb": 0.05},
            difficulty={
                "estimator": {"name": "pass-rate", "samples": 2, "tasks": 4},
                "max_tokens": self.max_tokens,
            },
        )
        broken = bench.run(recipe, "broken", crash_after=3)
        assert broken.crashed
        assert [m.step for m in broken.metrics()] == [1, 2, 3]
        resumed = bench.run(recipe, "broken")
        assert [(m.stage, m.step) for m in resumed.metrics()] == [
            ("stage1", 3), ("stage1", 4), ("stage1", 5), ("stage2", 1), ("stage2", 2),
        ]  # fmt: skip
        if not able.exact_resume:
            return
        whole = bench.run(recipe, "whole")
        assert self.numbers(resumed.metrics()) == self.numbers(whole.metrics()[2:]), (
            "a resumed stage has other numbers than an unbroken one"
        )
        assert resumed.trained[-1][1].ref == whole.trained[-1][1].ref, (
            "a resumed stage ends with other weights than an unbroken one"
        )
        scores = [[line["scores"] for line in run.lines("evaluation")] for run in (whole, resumed)]
        assert scores[0] == scores[1]

    def test_a_checkpoint_whose_weights_have_changed_is_refused(
        self, bench: Workbench, able: TrainerCapabilities
    ) -> None:
        """A run that went on with other weights than it recorded would tell of no policy that there was."""
        if not able.resume:
            pytest.skip("it declares no resume inside a stage")
        kept = {"every_steps": 1, "keep": 2, "min_free_gb": 0.05}
        recipe = self.recipe({"max_steps": 4}, checkpoints=kept)
        broken = bench.run(recipe, "broken", crash_after=2)
        model = broken.folder / broken.lines("checkpoint")[-1]["checkpoint"]["path"] / "model"
        largest = max((path for path in model.rglob("*") if path.is_file()), key=lambda p: p.stat().st_size)
        content = bytearray(largest.read_bytes())
        content[-1] ^= 1
        largest.write_bytes(content)
        with pytest.raises(HarnessError):
            bench.run(recipe, "broken")
        assert len(broken.lines("step")) == 2, "it went on all the same"

    def test_a_failing_session_ends_the_run_under_its_own_name(self, bench: Workbench) -> None:
        with pytest.raises(HarnessError, match=INJECTED):
            bench.run(self.recipe({}), fail_after=1)

    @pytest.mark.parametrize("gates", [False, True])
    def test_steps_of_which_nothing_could_be_judged_end_in_a_named_error(
        self, bench: Workbench, able: TrainerCapabilities, gates: bool
    ) -> None:
        """With gates at once: it is no stage without anything left to learn. Without them some may follow
        each other, because what is broken may come back."""
        if able.simulated:
            pytest.skip("a simulation judges itself")
        if gates and not able.dynamic_sampling:
            pytest.skip("it declares no dynamic sampling")
        recipe = self.recipe({"max_steps": 9, **(self.gated(able) if gates else {})})
        done = 1 if gates else LOST_STEPS
        with pytest.raises(HarnessError, match=rf"step {done + 1}.*: none of \d+ samples could be judged: "):
            bench.run(recipe, unjudged=lambda rollout: rollout.key.step > 1)
        record = Recorded(bench.folder / "run")
        assert [line["metrics"]["step"] for line in record.lines("step")] == list(range(1, done + 1))
        assert not record.lines("stage_finished")

    def test_a_prompt_beyond_the_context_is_refused_and_not_cut(
        self, bench: Workbench, able: TrainerCapabilities
    ) -> None:
        """A completion that a server shortened to fit would pass for a complete one."""
        if able.simulated:
            pytest.skip("a simulation has no prompts")
        model = {**self.model, "context_length": self.max_tokens + 1}
        with pytest.raises(HarnessError, match=f"exceed the context of {self.max_tokens + 1}"):
            bench.run(self.recipe({}, model=model, evaluation={"heldout": []}))

    def test_a_stage_that_takes_too_long_ends_in_a_named_error(self, bench: Workbench) -> None:
        kept = {"every_steps": 1, "keep": 2, "min_free_gb": 0.05}
        resources = {"stage_seconds": 1.5, "device": "cpu"}
        endless = self.recipe({"max_steps": 1_000_000}, resources=resources, checkpoints=kept)
        with pytest.raises(HarnessError, match="stage_seconds"):
            bench.run(endless)

    def test_a_stage_that_stands_still_ends_in_a_named_error(self, bench: Workbench) -> None:
        resources = {"stall_seconds": 2.0, "device": "cpu"}
        with pytest.raises(HarnessError, match="stall_seconds"):
            bench.run(self.recipe({"max_steps": 3}, resources=resources), hang_after=1)
