"""One job for a run: real processes, with a stand-in for verl in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness_verl import job as job_module
from harness_verl.job import RayJob
from harness_verl.live import LiveEngine
from harness_verl.standing import BETWEEN, StandingJob
from harness_verl.trainer import VerlTrainer
from harness_verl_worker import restage

from harness.contract import Engine, Policy
from harness.contract.errors import RecipeError, TrainingError
from harness.plugging.plugins import Plugins
from harness.testing.workbench import Recorded, Workbench
from tests.support.verl import stand_in_python

#: A first stage with a KL term has verl load a reference; later ones may do without it.
FIRST: dict[str, Any] = {
    "name": "first",
    "rollout": {"n": 4, "batch": 2, "max_tokens": 6},
    "loss": {"kl": 0.25},
    "optimizer": {"lr": 2.0**-6},
    "max_steps": 2,
}
SECOND: dict[str, Any] = {
    "name": "second",
    "reestimate": True,
    "select": "p >= 0",
    "rollout": {"n": 3, "batch": 4, "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 7},
    "loss": {"entropy": 0.1, "clip_high": 0.3},
    "optimizer": {"lr": 2.0**-7, "weight_decay": 0.1, "epochs": 2, "mini_batches": 2},
    "max_steps": 1,
}
#: A stage of the same name again and again.
AGAIN: dict[str, Any] = {**FIRST, "repeat": "budget", "until": {"rollouts": 16}}


@pytest.fixture
def bench(harness_plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    stand_in_python(tmp_path)
    return Workbench(tmp_path, harness_plugins)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[RayJob]]:
    """Every job that is started."""
    jobs: list[RayJob] = []
    real = RayJob.__init__

    def start(job: RayJob, *arguments: Any) -> None:
        jobs.append(job)
        real(job, *arguments)

    monkeypatch.setattr(RayJob, "__init__", start)
    yield jobs
    assert all(job._process.poll() is not None for job in jobs)
    assert not any(job.folder.exists() for job in jobs)


def recipe(*stages: dict[str, Any], **options: Any) -> dict[str, Any]:
    return {
        "name": "standing",
        "model": {"name": "chain-334k", "loader": "packaged", "prompt": "raw"},
        "trainer": {"name": "verl", "python": "python", **options},
        "tasks": {"train": [{"name": "arithmetic-chain", "strata": "2-4"}]},
        "difficulty": {"estimator": {"name": "pass-rate", "samples": 2, "tasks": 1}, "max_tokens": 9},
        "checkpoints": {"every_steps": 2, "min_free_gb": 0.05},
        "report": {"reporters": []},
        "stages": list(stages),
    }


def steps(record: Recorded) -> list[tuple[str, int]]:
    return [(metrics.stage, metrics.step) for metrics in record.metrics()]


def test_a_job_goes_on_with_the_next_stage_and_its_settings(bench: Workbench, started: list[RayJob]) -> None:
    record = bench.run(recipe(FIRST, SECOND))
    assert steps(record) == [("first", 1), ("first", 2), ("second", 1)]
    assert len(started) == 1
    (last,) = record.of("collect")[-1:]
    assert {group.size for group in last.value.groups} == {3}
    assert [metrics.kl is None for metrics in record.metrics()] == [False, False, True]


def test_between_stages_its_rollout_servers_measure(
    bench: Workbench, started: list[RayJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    built = []
    real = VerlTrainer.engine

    def engine(trainer: VerlTrainer, policy: Policy) -> Engine:
        built.append(real(trainer, policy))
        return built[-1]

    monkeypatch.setattr(VerlTrainer, "engine", engine)
    record = bench.run(recipe(FIRST, SECOND))
    assert [line["stage"] for line in record.lines("labels")] == ["second"]
    assert len(built) == 1
    assert isinstance(built[0], LiveEngine)
    assert len(started) == 1


def test_a_policy_that_the_job_does_not_hold_has_an_engine_of_its_own(
    bench: Workbench, started: list[RayJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job, which may have all the memory, is ended for it."""
    built = []
    real = VerlTrainer.engine

    def engine(trainer: VerlTrainer, policy: Policy) -> Engine:
        built.append(real(trainer, policy))
        return built[-1]

    monkeypatch.setattr(VerlTrainer, "engine", engine)
    monkeypatch.setattr(StandingJob, "holds", lambda *_: False)
    bench.run(recipe(FIRST, SECOND))
    assert not any(isinstance(each, LiveEngine) for each in built)
    assert len(started) == 2


@pytest.mark.parametrize("fault", ["answers-die", "answers-hang"])
def test_a_job_that_fails_between_stages_is_a_named_error_at_once(
    bench: Workbench, started: list[RayJob], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setenv("FAKE_VERL", fault)
    monkeypatch.setattr(job_module, "STALL_SECONDS", 10.0)
    what = r"died \(exit code 7\)" if fault == "answers-die" else r"has made no progress for 1\d s"
    with pytest.raises(TrainingError, match=rf"between stages: the verl job {what}.*, at 'in answer'"):
        bench.run(recipe(FIRST, SECOND))
    monkeypatch.delenv("FAKE_VERL")
    assert bench.run(recipe(FIRST, SECOND)).lines("finished")


def test_an_interrupt_between_stages_waits_for_no_answer(
    bench: Workbench, started: list[RayJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VERL", "answers-hang")
    real = RayJob._wait

    def interrupted(job: RayJob, *arguments: Any, **options: Any) -> Any:
        if job.where == BETWEEN:
            raise KeyboardInterrupt
        return real(job, *arguments, **options)

    monkeypatch.setattr(RayJob, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bench.run(recipe(FIRST, SECOND))


def test_a_stage_that_verl_refuses_is_said_in_verls_words(
    bench: Workbench, started: list[RayJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VERL", "refuse:second")
    with pytest.raises(RecipeError, match="verl refuses its configuration: ValueError: no such thing"):
        bench.run(recipe(FIRST, SECOND))
    assert len(started) == 2


def test_a_resume_inside_a_later_stage_goes_on_in_a_new_job(
    bench: Workbench, started: list[RayJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = {**SECOND, "max_steps": 4}
    monkeypatch.setenv("FAKE_VERL", "die:3")
    with pytest.raises(TrainingError, match="stage 'second': the verl job died"):
        bench.run(recipe(FIRST, longer))
    monkeypatch.delenv("FAKE_VERL")
    record = bench.run(recipe(FIRST, longer))
    taken = [(line["metrics"]["stage"], line["metrics"]["step"]) for line in record.lines("step")]
    assert taken == [("first", 1), ("first", 2), *(("second", step) for step in (1, 2, 3, 4))]
    assert len(started) == 2


def test_weights_and_moments_are_those_of_a_job_per_stage(bench: Workbench, started: list[RayJob]) -> None:
    kept, apart = bench.run(recipe(FIRST, SECOND)), bench.run(recipe(FIRST, SECOND, keep_job=False), "apart")
    assert len(started) == 1 + 2
    shas = [[after.ref.weights_sha for _, after in record.trained] for record in (kept, apart)]
    assert shas[0] == shas[1]


def test_an_optimizer_that_a_stage_resets_has_no_moments(bench: Workbench, started: list[RayJob]) -> None:
    reset = {**SECOND, "optimizer": {**SECOND["optimizer"], "reset": True}}
    plain, anew = bench.run(recipe(FIRST, SECOND)), bench.run(recipe(FIRST, reset), "anew")
    assert len(started) == 2
    assert plain.trained[0][1].ref.weights_sha == anew.trained[0][1].ref.weights_sha
    assert plain.trained[1][1].ref.weights_sha != anew.trained[1][1].ref.weights_sha


def test_a_stage_that_is_repeated_starts_nothing(bench: Workbench, started: list[RayJob]) -> None:
    record = bench.run(recipe(AGAIN) | {"budget": {"rollouts": 48}})
    assert [step for _, step in steps(record)] == [1, 2] * 3
    assert len(started) == 1


def test_a_stage_that_wants_a_reference_model_which_verl_has_not_loaded_starts_a_job(
    bench: Workbench, started: list[RayJob]
) -> None:
    record = bench.run(
        recipe({**FIRST, "loss": {}}, {**SECOND, "loss": {"kl": 0.5}}, SECOND | {"name": "third"})
    )
    assert len(record.trained) == 3
    assert len(started) == 2


def test_a_job_that_dies_at_a_stage_is_a_named_error_and_the_run_goes_on(
    bench: Workbench, started: list[RayJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VERL", "die-at-stage")
    with pytest.raises(
        TrainingError, match=r"stage 'second': the verl job died \(exit code 7\), at 'in stage'"
    ):
        bench.run(recipe(FIRST, SECOND))
    monkeypatch.delenv("FAKE_VERL")
    record = bench.run(recipe(FIRST, SECOND))
    assert [line["metrics"]["stage"] for line in record.lines("step")] == ["first", "first", "second"]
    assert len(started) == 2


def test_a_job_that_ends_with_an_error_says_so_though_nothing_is_lost(
    bench: Workbench, started: list[RayJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_VERL", "end")
    with pytest.raises(TrainingError, match="ended with exit code 9"):
        bench.run(recipe(FIRST))
    monkeypatch.delenv("FAKE_VERL")
    record = bench.run(recipe(FIRST))
    assert record.lines("finished")
    assert len(started) == 1


# What verl reads anew ----------------------------------------------------------------------------


def test_what_differs_is_named_by_its_path() -> None:
    now = {"a": {"b": 1, "c": [1, 2]}, "gone": 3}
    assert restage.changes(now, {"a": {"b": 2, "c": [1, 2]}, "new": {"d": None, "e": 4}}) == {
        "a.b": 2, "gone": None, "new.e": 4,
    }  # fmt: skip


def test_where_a_stage_begins_is_no_difference() -> None:
    now = {"actor_rollout_ref": {"model": {"path": "/one"}}, "trainer": {"resume_mode": "resume_path"}}
    wanted = {"actor_rollout_ref": {"model": {"path": "/two"}}, "trainer": {"resume_mode": "disable"}}
    assert restage.changes(now, wanted) == {}


#: A job with four reward workers.
NOW: dict[str, Any] = {"reward": {"num_workers": 4, "other": 1}, "data": {}}


@pytest.mark.parametrize(
    ("path", "value", "is_taken"),
    [
        ("actor_rollout_ref.rollout.temperature", 0.5, True),
        ("actor_rollout_ref.actor.optim.betas", [0.8, 0.9], True),
        ("data.train_batch_size", 4, True),
        (restage.KL, False, True),
        (restage.WORKERS, 3, True),
        (restage.WORKERS, 5, False),
        ("actor_rollout_ref.actor.fsdp_config.dtype", "bfloat16", False),
        ("actor_rollout_ref.actor.optim.optimizer", "SGD", False),
    ],
)
def test_a_running_job_takes_what_verl_reads_at_each_step(path: str, value: Any, is_taken: bool) -> None:
    fixed = restage.fixed(NOW, {path: value}, strategy="fsdp2", reference=False)
    assert fixed == ([] if is_taken else [path])


def test_a_reference_and_another_engine_are_fixed() -> None:
    assert restage.fixed(NOW, {restage.KL: True}, strategy="fsdp2", reference=True) == []
    assert restage.fixed(NOW, {restage.KL: True}, strategy="fsdp2", reference=False) == [restage.KL]
    assert restage.fixed(NOW, {}, strategy="megatron", reference=True) == [restage.STRATEGY]


def test_a_job_keeps_its_reward_workers() -> None:
    fewer = {"reward": {"num_workers": 2, "other": 3}, "data": {"n": 1}}
    assert restage.taken(NOW, fewer) == {"reward": {"num_workers": 4, "other": 3}, "data": {"n": 1}}
