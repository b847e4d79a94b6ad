"""The loop of a stage stands once: a short trainer of somebody else's conforms."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.contract.errors import TrainingError
from harness.plugging.plugins import Plugins, load
from harness.testing import TrainerConformance, Workbench
from harness.training.phases import Phases
from tests.plugins.torch.test_torch_conformance import problems
from tests.support import bandit


@pytest.fixture(scope="module")
def harness_plugins() -> Plugins:
    return load(local=Path(bandit.__file__))


class TestBandit(TrainerConformance):
    trainer = {"name": "local/bandit"}
    model = {"name": "bandit", "loader": "local/bandit", "prompt": "raw"}
    tasks = [{"name": "jsonl", "path": "train.jsonl", "verifier": "exact", "fields": {"tags": ["kind"]}}]
    heldout = [{"name": "jsonl", "path": "heldout.jsonl", "verifier": "exact"}]
    mixture = ("kind=1", "kind=2")
    max_tokens = 6
    lr = 0.5

    @pytest.fixture(autouse=True)
    def problems(self, tmp_path: Path) -> None:
        problems(tmp_path)

    def test_names_of_live_weights(self, bench: Workbench) -> None:
        """Weights inside a stage have a name but no hash; those on disk have both."""
        record = bench.run(self.recipe({"max_steps": 4}, checkpoints={"every_steps": 2, "min_free_gb": 0.05}))
        names = {
            group.step: {rollout.policy for rollout in group.rollouts or ()}
            for group in self.groups(record, "stage1")
        }
        before, after = (policy.ref for policy in record.trained[0])
        saved = [call.value.policy for call in record.of("save")]
        assert names[1] == {before}
        assert names[3] == {saved[0]}
        for step in (2, 4):
            ((name,),) = (names[step],)
            assert (name.weights_sha, name.stage, name.step) == ("", "stage1", step - 1)
        assert saved[-1] == after

    def test_a_kind_that_a_backend_does_not_train_is_refused(self, bench: Workbench) -> None:
        """Where a trainer declares more than it brings, too."""
        recipe = self.recipe({"kind": "sft"}, trainer={"name": "local/boaster"})
        with pytest.raises(TrainingError, match=r"stage 'stage1': cannot train a stage of kind 'sft'"):
            bench.run(recipe)

    def test_each_step_says_where_its_cpu_time_went(self, bench: Workbench) -> None:
        for metrics in bench.run(self.recipe({})).metrics():
            assert 0 < metrics.extra["generate_cpu_seconds"] <= metrics.cpu_seconds


def test_phases_take_another_clock() -> None:
    times = iter([0.0, 1.0, 3.0, 10.0, 7.0, 20.0])
    phases = Phases(lambda: next(times))
    with phases("forward"):
        pass
    with phases("backward"):
        """A process went, and took its time with it."""
    assert phases.fields() == {"forward_cpu_seconds": 2.0, "backward_cpu_seconds": 0.0}
    assert phases.cpu_seconds == 20.0
