"""What every trainer must do, tried in real runs of the real loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.errors import HarnessError
from harness.plugins import Plugins
from harness.records import Request, RolloutKey, Sampling, StepMetrics, builtins
from harness.testing.engine import gather
from harness.testing.workbench import Recorded, Workbench

#: Fields of a step's metrics that may differ between two runs of the same numbers.
TIMINGS = ("cpu_seconds", "seconds", "extra")


class TrainerConformance:
    """Subclass with the trainer, a model that solves the tasks sometimes, and the tasks.

    Names are as a recipe writes them. The tests run stages of a few small steps.
    """

    trainer: ClassVar[Mapping[str, Any]]
    model: ClassVar[Mapping[str, Any]]
    tasks: ClassVar[Sequence[Mapping[str, Any]]]
    heldout: ClassVar[Sequence[Mapping[str, Any]]]
    n: ClassVar[int] = 8
    batch: ClassVar[int] = 4
    max_tokens: ClassVar[int] = 16
    lr: ClassVar[float] = 1e-3

    # What a subclass may replace ------------------------------------------------------------------

    def recipe(self, *stages: Mapping[str, Any], **tables: Any) -> dict[str, Any]:
        """A recipe of some stages; each is laid on a plain one of kind rl."""
        plain = {
            "curriculum": "uniform",
            "rollout": {"n": self.n, "batch": self.batch, "max_tokens": self.max_tokens},
            "optimizer": {"lr": self.lr},
            "max_steps": 3,
        }
        return {
            "name": "conformance",
            "model": dict(self.model),
            "trainer": dict(self.trainer),
            "tasks": {"train": [dict(use) for use in self.tasks]},
            "evaluation": {
                "each_stage": False,
                "heldout": [
                    {
                        "tasks": [dict(use) for use in self.heldout],
                        "per_stratum": 2,
                        "max_tokens": self.max_tokens,
                    }
                ],
            },
            "checkpoints": {"every_steps": 1000, "keep": 100, "min_free_gb": 0.05},
            "report": {"reporters": []},
            "stages": [{"name": f"stage{i}", **plain, **stage} for i, stage in enumerate(stages, 1)],
        } | tables

    @pytest.fixture
    def bench(self, harness_plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
        return Workbench(tmp_path, harness_plugins)

    @pytest.fixture
    def able(self, harness_plugins: Plugins) -> Mapping[str, Any]:
        """The capabilities that the trainer declares."""
        return harness_plugins.registry.find("trainers", str(self.trainer["name"])).capabilities

    @staticmethod
    def numbers(metrics: Sequence[StepMetrics]) -> list[dict[str, Any]]:
        """Metrics without what the clock says."""
        return [{k: v for k, v in builtins(m).items() if k not in TIMINGS} for m in metrics]

    @staticmethod
    def groups(record: Recorded, stage: str) -> list[Any]:
        return [g for call in record.of("collect") if call.stage == stage for g in call.value.groups]

    # The session ----------------------------------------------------------------------------------

    def test_a_stage_is_steps_that_end_with_a_checkpoint(self, bench: Workbench) -> None:
        record = bench.run(self.recipe({}))
        assert [m.step for m in record.metrics()] == [1, 2, 3]
        assert all(m.stage == "stage1" for m in record.metrics())
        names = [c.name for c in record.of("collect", "finish_step", "directive", "save", "evaluate")]
        assert names == ["collect", "finish_step", "directive"] * 3 + ["save"]
        for batch, metrics in zip(record.of("collect"), record.metrics(), strict=True):
            groups = batch.value.groups
            assert len(groups) == self.batch
            assert metrics.rollouts == batch.value.rollouts == self.batch * self.n
            assert metrics.tokens == batch.value.tokens == sum(sum(g.lengths) for g in groups)
            rewards = [r for g in groups for r in g.rewards]
            assert metrics.reward_mean == pytest.approx(sum(rewards) / len(rewards))
            passes = sum(g.statuses.count("pass") for g in groups)
            assert metrics.pass_rate == pytest.approx(passes / len(rewards))
            assert metrics.zero_variance_groups == pytest.approx(
                sum(not g.mixed for g in groups) / len(groups)
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

    def test_directives_are_obeyed_in_order_and_stop_at_once(self, bench: Workbench) -> None:
        recipe = self.recipe({"max_steps": 5}, checkpoints={"every_steps": 2, "keep": 9, "min_free_gb": 0.05})
        recipe["evaluation"]["every_steps"] = 2
        record = bench.run(recipe)
        names = [c.name for c in record.of("finish_step", "evaluate", "save")]
        step, obeyed = ["finish_step"], ["evaluate", "save"]
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

    def test_only_kept_groups_reach_the_update(self, bench: Workbench, able: Mapping[str, Any]) -> None:
        recipe = self.recipe({"gates": [{"name": "mixed-outcomes", "max_refills": 50}]})
        if not able.get("dynamic_sampling"):
            with pytest.raises(HarnessError, match="dynamic sampling"):
                bench.run(recipe)
            return
        record = bench.run(recipe)
        groups = self.groups(record, "stage1")
        assert groups
        assert all(group.mixed for group in groups)
        assert all(m.zero_variance_groups == 0 for m in record.metrics())
        for batch, metrics in zip(record.of("collect"), record.metrics(), strict=True):
            assert metrics.discarded_groups == batch.value.discarded

    # Stages ---------------------------------------------------------------------------------------

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

    # Resume ---------------------------------------------------------------------------------------

    def test_a_broken_stage_goes_on_to_the_same_numbers(self, bench: Workbench) -> None:
        recipe = self.recipe(
            {"max_steps": 5, "optimizer": {"lr": self.lr, "warmup_steps": 4}},
            {"max_steps": 2},
            checkpoints={"every_steps": 2, "keep": 9, "min_free_gb": 0.05},
        )
        whole = bench.run(recipe, "whole")
        broken = bench.run(recipe, "broken", crash_after=3)
        assert broken.crashed
        assert [m.step for m in broken.metrics()] == [1, 2, 3]
        resumed = bench.run(recipe, "broken")
        assert [(m.stage, m.step) for m in resumed.metrics()] == [
            ("stage1", 3), ("stage1", 4), ("stage1", 5), ("stage2", 1), ("stage2", 2),
        ]  # fmt: skip
        assert self.numbers(resumed.metrics()) == self.numbers(whole.metrics()[2:])
        assert resumed.trained[-1][1].ref == whole.trained[-1][1].ref
        scores = [[line["scores"] for line in run.lines("evaluation")] for run in (whole, resumed)]
        assert scores[0] == scores[1]

    # Capabilities ---------------------------------------------------------------------------------

    def test_stage_kinds_are_as_declared(self, bench: Workbench, able: Mapping[str, Any]) -> None:
        assert "rl" in able["kinds"]
        recipe = self.recipe({"kind": "sft", "max_steps": 2})
        if "sft" not in able["kinds"]:
            with pytest.raises(HarnessError, match="sft"):
                bench.run(recipe)
            return
        record = bench.run(recipe)
        assert [m.step for m in record.metrics()] == [1, 2]
        assert [c.name for c in record.of("finish_step", "save")] == ["finish_step", "finish_step", "save"]
        ((before, after),) = record.trained
        assert before.ref.weights_sha != after.ref.weights_sha

    @pytest.mark.parametrize("loss", ["kl", "entropy", "mask_truncated"])
    def test_loss_options_work_or_are_refused(
        self, bench: Workbench, able: Mapping[str, Any], loss: str
    ) -> None:
        recipe = self.recipe({"max_steps": 2, "loss": {loss: True if loss == "mask_truncated" else 0.01}})
        if loss in able.get("losses", ()):
            assert len(bench.run(recipe).metrics()) == 2
        else:
            with pytest.raises(HarnessError, match=loss):
                bench.run(recipe)

    def test_only_a_simulation_judges_itself(self, bench: Workbench, able: Mapping[str, Any]) -> None:
        record = bench.run(self.recipe({"max_steps": 1}))
        own = bool(record.of("submit_outcomes")) and all(
            g.rollouts is None for g in self.groups(record, "stage1")
        )
        assert own == bool(able.get("simulated")), "capability 'simulated' must say who judges"

    def test_its_engine_has_the_policys_weights(self, bench: Workbench, able: Mapping[str, Any]) -> None:
        record = bench.run(self.recipe({}))
        trainer = bench.build("trainers", self.trainer)
        (_, policy), requests = record.trained[-1], self._requests(bench)
        engine = trainer.engine(policy)
        assert (engine is not None) == bool(able.get("engine"))
        if engine is not None:
            rollouts = gather(engine, requests)
            assert set(rollouts) == {request.key for request in requests}
            assert {r.policy.weights_sha for r in rollouts.values()} == {policy.ref.weights_sha}
            base = record.trained[0][0]
            before = gather(trainer.engine(base), requests).values()
            assert {r.policy.weights_sha for r in before} == {base.ref.weights_sha}
        trainer.close()

    def _requests(self, bench: Workbench) -> list[Request]:
        source = bench.build("task_sources", self.heldout[0])
        tasks = [source.draw(source.subjects()[0], i) for i in range(2)]
        sampling = Sampling(max_tokens=self.max_tokens)
        return [
            Request(RolloutKey("run", "eval", "", 0, t.id, s), t.prompt, sampling)
            for t in {t.id: t for t in tasks}.values()
            for s in range(2)
        ]

    def test_a_checkpoint_opens_where_it_says_it_does(
        self, bench: Workbench, able: Mapping[str, Any]
    ) -> None:
        ((_, policy),) = bench.run(self.recipe({"max_steps": 1})).trained
        if able.get("transformers_checkpoint", not able.get("simulated")):
            transformers = pytest.importorskip("transformers")
            model = transformers.AutoModelForCausalLM.from_pretrained(policy.files.path)
            tokenizer = transformers.AutoTokenizer.from_pretrained(policy.files.path)
            assert sum(p.numel() for p in model.parameters()) > 0
            assert len(tokenizer) > 0
        else:
            assert not (policy.files.path / "config.json").exists(), "looks like a transformers model"
        if able.get("engine"):
            reopened = bench.build("trainers", self.trainer)
            assert reopened.engine(policy) is not None
            reopened.close()
