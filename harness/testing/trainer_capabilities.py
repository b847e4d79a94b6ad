"""That what a trainer declares is what it does, and that all else is refused by name."""

from __future__ import annotations

import pytest

from harness.contract.capabilities import TrainerCapabilities
from harness.contract.errors import HarnessError
from harness.contract.records import Request, RolloutKey, Sampling
from harness.testing.engine import gather
from harness.testing.trainer_bench import TrainerBench
from harness.testing.workbench import Workbench


class Declared(TrainerBench):
    """Capabilities, told truly."""

    def test_stage_kinds_are_as_declared(self, bench: Workbench, able: TrainerCapabilities) -> None:
        assert "rl" in able.kinds
        recipe = self.recipe({"kind": "sft", "max_steps": 2})
        if "sft" not in able.kinds:
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
        self, bench: Workbench, able: TrainerCapabilities, loss: str
    ) -> None:
        recipe = self.recipe({"max_steps": 2, "loss": {loss: True if loss == "mask_truncated" else 0.01}})
        if loss in able.losses:
            assert len(bench.run(recipe).metrics()) == 2
        else:
            with pytest.raises(HarnessError, match=loss):
                bench.run(recipe)

    def test_a_stages_loss_is_its_own(self, bench: Workbench, able: TrainerCapabilities) -> None:
        if "kl" not in able.losses:
            pytest.skip("it declares no KL term")
        # With gates that find something to learn from.
        gates = self.gated(able)
        record = bench.run(
            self.recipe({"max_steps": 1, **gates}, {"max_steps": 2, "loss": {"kl": 0.1}, **gates})
        )
        first, *later = record.metrics()
        assert not first.kl
        assert all(m.kl is not None for m in later)
        assert later[-1].kl != 0, "the reference is the policy that the run started from"

    @pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
    def test_kl_estimators_work_or_are_refused(
        self, bench: Workbench, able: TrainerCapabilities, estimator: str
    ) -> None:
        if "kl" not in able.losses:
            pytest.skip("it declares no KL term")
        recipe = self.recipe({"max_steps": 1, "loss": {"kl": 0.1}}, conventions={"kl_estimator": estimator})
        if able.kl_estimators is None or estimator in able.kl_estimators:
            assert len(bench.run(recipe).metrics()) == 1
        else:
            with pytest.raises(HarnessError, match="kl_estimator"):
                bench.run(recipe)

    def test_lora_works_or_is_refused(self, bench: Workbench, able: TrainerCapabilities) -> None:
        recipe = self.recipe({"max_steps": 1})
        recipe["model"]["lora"] = {"rank": 2}
        if able.lora:
            pytest.importorskip("peft", reason="needs the extra 'lora'")
            assert len(bench.run(recipe).metrics()) == 1
        else:
            with pytest.raises(HarnessError, match=r"model\.lora"):
                bench.run(recipe)

    def test_only_a_simulation_judges_itself(self, bench: Workbench, able: TrainerCapabilities) -> None:
        record = bench.run(self.recipe({"max_steps": 1}))
        own = bool(record.of("submit_outcomes")) and all(
            g.rollouts is None for g in self.groups(record, "stage1")
        )
        assert own == able.simulated, "capability 'simulated' must say who judges"

    def test_its_engine_has_the_policys_weights(self, bench: Workbench, able: TrainerCapabilities) -> None:
        record = bench.run(self.recipe({}))
        trainer = bench.build("trainers", self.trainer)
        (_, policy), requests = record.trained[-1], self._requests(bench)
        engine = trainer.engine(policy)
        assert (engine is not None) == able.engine
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
        self, bench: Workbench, able: TrainerCapabilities
    ) -> None:
        ((_, policy),) = bench.run(self.recipe({"max_steps": 1})).trained
        if able.transformers_checkpoint:
            transformers = pytest.importorskip("transformers")
            model = transformers.AutoModelForCausalLM.from_pretrained(policy.files.path)
            tokenizer = transformers.AutoTokenizer.from_pretrained(policy.files.path)
            assert sum(p.numel() for p in model.parameters()) > 0
            assert len(tokenizer) > 0
        else:
            assert not (policy.files.path / "config.json").exists(), "looks like a transformers model"
        if able.engine:
            reopened = bench.build("trainers", self.trainer)
            assert reopened.engine(policy) is not None
            reopened.close()
