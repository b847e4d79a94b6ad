"""What a trainer learns from and what it leaves behind: rewards, the ledger, weights on disk."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from harness.contract.advantages import group_advantages
from harness.contract.capabilities import TrainerCapabilities
from harness.contract.records import Rollout, StepMetrics, Task, Verdict
from harness.testing.trainer_bench import TrainerBench
from harness.testing.workbench import Workbench


class Evidence(TrainerBench):
    """Rewards, ledger, weights."""

    def test_rewards_are_the_verifiers_and_advantages_the_conventions(
        self, bench: Workbench, able: TrainerCapabilities
    ) -> None:
        conventions = {"advantage_epsilon": 0.01, "std": "population"}
        record = bench.run(self.recipe({"max_steps": 2}, conventions=conventions))
        groups = self.groups(record, "stage1")
        for group in groups:
            expected = group_advantages(group.rewards, epsilon=0.01, std="population")
            assert group.advantages == pytest.approx(expected, abs=1e-12)
        if able.simulated:
            return
        tasks = {task.id: task for task in self.tasks_of(record, "stage1")}
        for group in groups:
            assert group.rollouts is not None
            verdicts = [self._verdict(bench, tasks[group.task], rollout) for rollout in group.rollouts]
            assert [v.status for v in verdicts] == list(group.statuses)
            assert [float(v.status == "pass") for v in verdicts] == list(group.rewards)

    @staticmethod
    def _verdict(bench: Workbench, task: Task, rollout: Rollout) -> Verdict:
        verifier = bench.build("verifiers", {"name": task.verifier})
        verifier.open()
        verdict: Verdict = verifier.verify(task, rollout)
        verifier.close()
        return verdict

    def test_steps_reach_the_ledger_under_the_common_names(
        self, bench: Workbench, able: TrainerCapabilities
    ) -> None:
        record = bench.run(self.recipe({}))
        lines = record.lines("step")
        assert [line["metrics"]["step"] for line in lines] == [1, 2, 3]
        names = set(StepMetrics.__dataclass_fields__)
        spent = 0
        for line in lines:
            metrics = line["metrics"]
            assert set(metrics) <= names
            assert all(isinstance(value, float) for value in metrics["extra"].values())
            spent += metrics["rollouts"]
            assert line["spent_rollouts"] == spent
            told = ["learning_rate", "grad_norm"] + ([] if able.simulated else ["loss"])
            for name in told:
                assert math.isfinite(metrics[name]), name
        groups = record.lines("group")
        assert len(groups) == 3 * self.batch
        assert all(len(line["group"]["advantages"]) == self.n for line in groups)

    def test_what_could_not_be_judged_is_masked_and_not_zero(
        self, bench: Workbench, able: TrainerCapabilities
    ) -> None:
        if able.simulated:
            pytest.skip("a simulation judges itself")
        record = bench.run(
            self.recipe({"max_steps": 2}), unjudged=lambda rollout: rollout.key.sample % 3 == 0
        )
        groups = self.groups(record, "stage1")
        for group in groups:
            for i in range(self.n):
                assert (group.rewards[i] is None) == (i % 3 == 0)
                assert group.rewards[i] is not None or group.advantages[i] == 0
        for metrics in record.metrics():
            known = [r for g in groups if g.step == metrics.step for r in g.rewards if r is not None]
            assert metrics.reward_mean == pytest.approx(sum(known) / len(known))
            assert metrics.pass_rate == pytest.approx(sum(r == 1 for r in known) / len(known))
            if "trained_tokens" in metrics.extra:
                judged = sum(
                    length
                    for g in groups
                    if g.step == metrics.step
                    for length, reward in zip(g.lengths, g.rewards, strict=True)
                    if reward is not None
                )
                assert metrics.extra["trained_tokens"] <= judged
        for line in record.lines("step"):
            assert line["metrics"]["unjudged"] == pytest.approx(len(range(0, self.n, 3)) / self.n)

    def test_a_step_that_is_masked_altogether_moves_no_weight(
        self, bench: Workbench, able: TrainerCapabilities
    ) -> None:
        """Nor do the moments of the steps before it."""
        if able.simulated or "mask_truncated" not in able.losses:
            pytest.skip("a simulation judges itself, or it masks nothing")
        masked = {
            "max_steps": 1,
            "rollout": {"n": self.n, "batch": self.batch, "max_tokens": 1},
            "loss": {"mask_truncated": True},
        }
        record = bench.run(
            self.recipe({"max_steps": 1, **self.gated(able)}, masked),
            unjudged=lambda rollout: rollout.key.stage == "stage2" and not rollout.truncated,
        )
        metrics = record.metrics()[-1]
        assert metrics.loss in (None, 0.0)
        assert metrics.grad_norm in (None, 0.0)
        before, after = record.trained[-1]
        assert self._tensors(before.files.path) == self._tensors(after.files.path), (
            "weights moved in a step in which no token counted: generating or an idle update changes them"
        )

    def test_an_evaluation_inside_a_stage_moves_no_weight(
        self, bench: Workbench, able: TrainerCapabilities
    ) -> None:
        if not (able.in_stage_evaluation and able.exact_resume):
            pytest.skip("it evaluates nothing inside a stage, or no two of its runs are equal")
        evaluation = self.recipe()["evaluation"]
        plain = bench.run(self.recipe({}, evaluation=evaluation | {"every_steps": None}), "plain")
        looked = bench.run(self.recipe({}, evaluation=evaluation | {"every_steps": 1}), "looked")
        assert looked.of("evaluate"), "it evaluated nothing"
        shas = [run.trained[-1][1].ref.weights_sha for run in (plain, looked)]
        assert shas[0] == shas[1], "weights moved while they were evaluated: the stage ends with others"

    @pytest.mark.parametrize("precision", ["fp32", "bf16"])
    def test_weights_on_disk_are_rounded_by_nobody(
        self, bench: Workbench, able: TrainerCapabilities, precision: str
    ) -> None:
        """Checkpoints are fp32 whatever the products were computed in."""
        if not able.transformers_checkpoint:
            pytest.skip("its checkpoints are no transformers model")
        if able.precisions is not None and precision not in able.precisions:
            pytest.skip(f"it does not declare {precision}")
        resources = {"precision": precision, "device": "cpu"}
        record = bench.run(self.recipe({"max_steps": 1, **self.gated(able)}, resources=resources))
        folder = record.trained[0][1].files.path
        declared = able.checkpoint_dtype
        config = json.loads((folder / "config.json").read_text())
        assert config.get("dtype", config.get("torch_dtype")) == declared
        torch = pytest.importorskip("torch")
        safetensors = pytest.importorskip("safetensors.torch")
        tensors = [t for file in folder.glob("*.safetensors") for t in safetensors.load_file(file).values()]
        assert {str(t.dtype) for t in tensors} == {f"torch.{declared}"}
        if declared == "float32":
            assert any((t != t.to(torch.bfloat16).float()).any() for t in tensors), "rounded to bf16"

    @staticmethod
    def _tensors(folder: Path) -> dict[str, bytes]:
        """Each weight's bytes by name."""
        safetensors = pytest.importorskip("safetensors.torch")
        return {
            name: tensor.numpy().tobytes()
            for file in sorted(folder.glob("*.safetensors"))
            for name, tensor in safetensors.load_file(file).items()
        }
