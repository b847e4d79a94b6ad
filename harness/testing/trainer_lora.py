"""That adapters alone learn under LoRA, and that a policy is the base with its adapter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from harness.contract.capabilities import TrainerCapabilities
from harness.contract.protocols import Policy
from harness.testing.trainer_bench import TrainerBench
from harness.testing.workbench import Workbench

RANK: Final = 2


class Adapters(TrainerBench):
    """`model.lora`, for trainers that declare it."""

    def adapted(self, *stages: Mapping[str, Any], **tables: Any) -> dict[str, Any]:
        """A recipe whose adapters learn."""
        recipe = self.recipe(*stages, **tables)
        recipe["model"] |= {"lora": {"rank": RANK, "alpha": 4}}
        return recipe

    @pytest.fixture
    def learning(self, able: TrainerCapabilities) -> dict[str, Any]:
        """Fields of a stage in which every step learns something."""
        if not able.lora:
            pytest.skip("it declares no LoRA")
        pytest.importorskip("peft", reason="needs the extra 'lora'")
        return {"max_steps": 2, "optimizer": {"lr": 10 * self.lr}, **self.gated(able)}

    def test_a_policy_is_the_base_with_its_adapter(self, bench: Workbench, learning: dict[str, Any]) -> None:
        peft = pytest.importorskip("peft")
        transformers = pytest.importorskip("transformers")
        record = bench.run(self.adapted(learning, learning))
        initial = record.trained[0][0].files.path
        for _, policy in record.trained:
            base, adapter = self._parts(policy)
            assert base.resolve() == initial.resolve()
            model = transformers.AutoModelForCausalLM.from_pretrained(base)
            expected = peft.PeftModel.from_pretrained(model, adapter).merge_and_unload().state_dict()
            weights = transformers.AutoModelForCausalLM.from_pretrained(policy.files.path).state_dict()
            assert weights.keys() == expected.keys()
            for name, tensor in weights.items():
                assert tensor.numpy() == pytest.approx(expected[name].numpy(), abs=1e-6), name
            ranks = self._moved(base, policy.files.path)
            assert ranks, "nothing was learned"
            assert all(0 < rank <= RANK for rank in ranks.values()), ranks
        assert record.trained[0][1].ref.weights_sha != record.trained[1][1].ref.weights_sha

    def test_an_adapter_goes_on_after_a_break(
        self, bench: Workbench, able: TrainerCapabilities, learning: dict[str, Any]
    ) -> None:
        # The checkpoint that it goes on from is gone long before the stage ends.
        kept = {"every_steps": 1, "keep": 1, "min_free_gb": 0.05}
        recipe = self.adapted(learning | {"max_steps": 6}, learning, checkpoints=kept)
        broken = bench.run(recipe, "broken", crash_after=2)
        assert broken.crashed
        resumed = bench.run(recipe, "broken")
        taken = [(m.stage, m.step) for m in resumed.metrics()]
        assert taken == [*(("stage1", step) for step in (3, 4, 5, 6)), ("stage2", 1), ("stage2", 2)]
        last = resumed.trained[-1][1]
        ranks = self._moved(self._parts(last)[0], last.files.path)
        assert max(ranks.values()) <= RANK, "one adapter, not one on top of another"
        if able.exact_resume:
            whole = bench.run(recipe, "whole")
            assert self.numbers(resumed.metrics()) == self.numbers(whole.metrics()[2:])
            assert resumed.trained[-1][1].ref == whole.trained[-1][1].ref

    def test_the_kl_term_is_that_of_the_base(
        self, bench: Workbench, able: TrainerCapabilities, learning: dict[str, Any]
    ) -> None:
        if "kl" not in able.losses:
            pytest.skip("it declares no KL term")
        pulled = learning | {"loss": {"kl": 0.1}}
        first, _, third, _ = bench.run(self.adapted(learning, pulled)).metrics()
        assert not first.kl
        assert third.kl, "the reference is the policy that the run started from, not the stage"

    @staticmethod
    def _parts(policy: Policy) -> tuple[Path, Path]:
        """Folders of a policy's base model and adapter."""
        assert policy.checkpoint is not None
        adapter = policy.checkpoint / "adapter"
        config = json.loads((adapter / "adapter_config.json").read_text())
        return Path(config["base_model_name_or_path"]), adapter

    @staticmethod
    def _moved(base: Path, path: Path) -> dict[str, int]:
        """Rank of what was added to each weight that changed."""
        torch = pytest.importorskip("torch")
        transformers = pytest.importorskip("transformers")
        before, after = (
            transformers.AutoModelForCausalLM.from_pretrained(folder).state_dict() for folder in (base, path)
        )
        return {
            name: int(torch.linalg.matrix_rank((after[name] - tensor).double(), rtol=1e-3))
            for name, tensor in before.items()
            if not torch.equal(after[name], tensor)
        }
