"""What we rely on of TRL beyond its documentation: these tests fail when a release changes it."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest
from packaging.version import Version

from harness.contract.errors import TrainingError

trl = pytest.importorskip("trl", reason="needs the extra 'trl'")
from harness_trl import upstream  # noqa: E402


def test_this_release_is_one_that_was_read() -> None:
    first, beyond = map(Version, upstream.TESTED)
    assert first <= Version(trl.__version__) < beyond, (
        "read grpo_trainer.py of this release: _generate_and_score_completions, _generate_single_turn, "
        "_prepare_inputs, _compute_loss, then move harness_trl.upstream.TESTED and the extra's bound"
    )


def test_the_undocumented_methods_are_as_we_call_them() -> None:
    assert upstream.faults(trl.GRPOTrainer) == []


@pytest.mark.parametrize(
    "hook", ["get_train_dataloader", "create_optimizer", "create_scheduler", "compute_loss"]
)
def test_documented_hooks_are_still_there(hook: str) -> None:
    assert callable(getattr(trl.GRPOTrainer, hook))


def test_a_release_without_a_method_is_refused_by_name() -> None:
    class Renamed:
        def __init__(self, model: Any) -> None: ...

        def _generate_single_turn(self, prompts: Any) -> None: ...

    faults = upstream.faults(Renamed)
    assert any("no method _generate_and_score_completions" in fault for fault in faults)
    assert any("_generate_single_turn takes (self, prompts)" in fault for fault in faults)
    assert "it takes no rollout_func" in faults


def test_the_trainer_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(trl.GRPOTrainer, "_generate_single_turn")
    upstream.check.cache_clear()
    with pytest.raises(TrainingError, match="no method _generate_single_turn"):
        upstream.check()
    upstream.check.cache_clear()


def test_trl_still_computes_advantages_of_its_own_which_we_replace() -> None:
    """The day TRL takes an epsilon or advantages from outside, the override is no longer needed."""
    source = inspect.getsource(trl.GRPOTrainer._generate_and_score_completions)
    assert "std_rewards + 1e-4" in source
    assert '"advantages": advantages' in source
    names = {field.name for field in dataclasses.fields(trl.GRPOConfig)}
    assert not {name for name in names if "advantage" in name and "eps" in name}


def test_trl_still_has_no_dynamic_sampling_and_logs_means_of_means() -> None:
    names = {field.name for field in dataclasses.fields(trl.GRPOConfig)}
    assert not {name for name in names if "dynamic" in name or "refill" in name}
    assert "_metrics" in inspect.getsource(trl.GRPOTrainer.log)


def test_accelerate_can_still_forget_a_processs_first_precision() -> None:
    """Accelerate keeps the first precision and device of a process; a stage has its run's."""
    state = pytest.importorskip("accelerate.state").AcceleratorState
    assert "reset_partial_state" in inspect.signature(state._reset_state).parameters


def test_vllm_is_made_and_given_weights_as_we_count_on() -> None:
    """The day one of these fails, what `harness_trl.vllm` does about it may be superfluous, or miss."""
    from trl.generation.vllm_generation import VLLMGeneration

    made = inspect.getsource(VLLMGeneration._init_vllm)
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        assert f'os.environ["{name}"] = ' in made
    assert "self.llm = LLM(" in made
    assert tuple(inspect.signature(VLLMGeneration.sync_weights).parameters) == ("self",)
    sent = inspect.getsource(VLLMGeneration.sync_weights)
    assert "model_runner.model.load_weights" in sent
    assert "process_weights_after_loading" not in sent
