"""The trainer `torch` against a real session: learning, stages, resume, checkpoints, refusals."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_torch.options import TorchOptions
from harness_torch.random_llama import RandomLlama, RandomLlamaOptions
from harness_torch.trainer import TorchTrainer, _right
from harness_transformers.engine import TransformersEngine
from harness_transformers.weights import describe, weights_sha
from transformers import AutoModelForCausalLM, AutoTokenizer

from harness.contract.errors import DataError, TrainingError
from harness.contract.protocols import ModelFiles, Policy
from harness.contract.records import PolicyRef, StepMetrics
from harness.contract.samples import Group
from harness.recipe import Budget, Conventions, Stage
from tests.support.builders import task
from tests.support.live_session import LiveRun, RoundRobin, context

SMALL = RandomLlamaOptions(width=32, layers=2, heads=2, mlp_width=48, initializer_range=0.15)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ModelFiles:
    return RandomLlama(SMALL, context(tmp_path_factory.mktemp("cache"))).load()


@pytest.fixture
def start(files: ModelFiles) -> Policy:
    return Policy(PolicyRef(weights_sha=files.weights_sha), files)


def trainer(folder: Path, **options: Any) -> TorchTrainer:
    return TorchTrainer(TorchOptions(**options), context(folder))


def stage(**changes: Any) -> Stage:
    values: dict[str, Any] = {
        "name": "one",
        "rollout": {"n": 4, "batch": 8, "max_tokens": 4},
        "optimizer": {"lr": 3e-3},
        "until": {"steps": 3},
    }
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(values.get(key), dict) else value
    return Stage.model_validate(values)


def train(
    folder: Path, what: Stage, policy: Policy, *, by: TorchTrainer | None = None, **session: Any
) -> tuple[Policy, list[StepMetrics], LiveRun]:
    run = LiveRun(folder, strata=session.pop("strata", "1"), **session.pop("run", {}))
    opened = run.session(what, **session)
    try:
        result = (by or trainer(folder)).train(what, policy, opened)
    finally:
        run.ledger.close()
    return result, opened.history, run


def same_weights(one: Path, other: Path) -> bool:
    a, b = (AutoModelForCausalLM.from_pretrained(p).state_dict() for p in (one, other))
    return all(torch.equal(a[name], b[name]) for name in a)


class Alternate:
    """Half of each group right, whatever was generated: a signal for a model that solves nothing."""

    def rewards(self, group: Group, label: object) -> list[float | None]:
        return [float(i % 2) for i in range(group.size)]

    def advantages(self, group: Group, label: object) -> tuple[float, ...]:
        return group.advantages


class Masked(Alternate):
    def rewards(self, group: Group, label: object) -> list[float | None]:
        return [None if i < 2 else float(i % 2) for i in range(group.size)]


def shaped(**more: Any) -> dict[str, Any]:
    return {"shapers": [Alternate()], **more}


# Learning -----------------------------------------------------------------------------------------


def test_sft_then_grpo_learn(start: Policy, tmp_path: Path) -> None:
    by = trainer(tmp_path)
    fit = stage(name="fit", kind="sft", rollout={"batch": 64}, optimizer={"lr": 6e-3}, until={"steps": 25})
    policy, history, _ = train(tmp_path / "sft", fit, start, by=by)
    assert history[0].loss is not None
    assert history[-1].loss is not None
    assert history[-1].loss < history[0].loss / 2
    assert history[-1].pass_rate > history[0].pass_rate + 0.3
    assert all((m.rollouts, m.tokens) == (0, 0) for m in history)
    reinforce = stage(
        name="rl", rollout={"n": 8, "batch": 16}, optimizer={"lr": 1e-3, "reset": True}, until={"steps": 60}
    )
    _, history, _ = train(tmp_path / "rl", reinforce, policy, by=by)
    first, last = (sum(m.pass_rate for m in part) / 10 for part in (history[:10], history[-10:]))
    assert last > first + 0.08, (first, last)


def test_what_is_fitted_is_a_right_completion_never_how_it_is_judged() -> None:
    program = task({"kind": "functional", "tests": []}, verifier="code")
    assert _right(task("42")) == "42"
    assert _right(task(42)) == "42"
    assert _right(replace(program, meta={"solution": "```\nprint(1)\n```"})) == "```\nprint(1)\n```"
    with pytest.raises(TrainingError, match="not what a right completion is"):
        _right(program)


def test_steps_report_what_happened(start: Policy, tmp_path: Path) -> None:
    _, history, run = train(tmp_path, stage(), start, **shaped())
    assert [m.step for m in history] == [1, 2, 3]
    for metrics in history:
        assert (metrics.stage, metrics.rollouts, metrics.reward_mean, metrics.reward_sd) == (
            "one",
            32,
            0.5,
            0.5,
        )
        assert metrics.tokens > 0
        assert metrics.zero_variance_groups == 0
        assert metrics.learning_rate == 3e-3
        assert metrics.grad_norm is not None
        assert metrics.grad_norm > 0
        assert metrics.kl is None
        assert metrics.entropy is None
        assert 0 < metrics.extra["generate_cpu_seconds"] <= metrics.cpu_seconds
    kinds = [line["t"] for line in run.lines()]
    assert kinds.count("group") == 24
    assert kinds[-1] == "checkpoint"


def test_on_policy_loss_of_a_normalised_group_is_about_0(start: Policy, tmp_path: Path) -> None:
    """With ratio 1 the loss is minus the mean advantage a token: 0 but for unequal lengths."""
    _, history, _ = train(tmp_path, stage(), start, **shaped())
    assert all(abs(m.loss or 0.0) < 0.6 for m in history)


# Determinism and resume ---------------------------------------------------------------------------


def test_running_again_gives_the_same_bits(start: Policy, tmp_path: Path) -> None:
    one, first, _ = train(tmp_path / "a", stage(), start, **shaped())
    two, second, _ = train(tmp_path / "b", stage(), start, **shaped())
    assert one.ref == two.ref
    assert [(m.loss, m.grad_norm, m.tokens) for m in first] == [
        (m.loss, m.grad_norm, m.tokens) for m in second
    ]


@pytest.mark.parametrize("kind", ["rl", "sft"])
def test_resuming_inside_a_stage_ends_with_the_same_bits(start: Policy, tmp_path: Path, kind: str) -> None:
    long = stage(kind=kind, until={"steps": 6}, optimizer={"warmup_steps": 4, "weight_decay": 0.1})
    options = shaped(strata="1-2")
    unbroken, whole, _ = train(tmp_path / "a", long, start, **options)

    folder = tmp_path / "b"
    every = {"checkpoint_every": 2, "keep": 5}
    with pytest.raises(KeyboardInterrupt):
        train(folder, long, start, curriculum=Breaks(after=5), run=every, **options)
    # Two updates were made after the last checkpoint; they are done again.
    checkpoint = folder / "checkpoints" / "one-000004"
    policy = Policy(
        PolicyRef(weights_sha=weights_sha(checkpoint / "model"), stage="one", step=4),
        describe(checkpoint / "model"),
        checkpoint,
    )
    resumed, rest, _ = train(folder, long, policy, resume="checkpoints/one-000004", run=every, **options)
    assert resumed.ref == unbroken.ref
    assert [(m.step, m.loss) for m in rest[-2:]] == [(m.step, m.loss) for m in whole[-2:]]


class Breaks(RoundRobin):
    """Interrupts the process's work when it is asked for tasks after some steps."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def next(self, k: int, context: Any) -> Any:
        if context.step > self.after:
            raise KeyboardInterrupt
        return super().next(k, context)


def test_a_new_trainer_goes_on_as_the_old_one_would(start: Policy, tmp_path: Path) -> None:
    """Between stages: the optimizer's moments come from the checkpoint."""
    by = trainer(tmp_path)
    first, _, _ = train(tmp_path / "a", stage(), start, by=by, **shaped())
    live, _, _ = train(tmp_path / "b", stage(name="two"), first, by=by, **shaped())
    fresh, _, _ = train(tmp_path / "c", stage(name="two"), first, **shaped())
    assert live.ref == fresh.ref


def test_optimizer_state_is_kept_across_stages_unless_reset(start: Policy, tmp_path: Path) -> None:
    ends = []
    for reset in (False, True):
        by = trainer(tmp_path)
        first, _, _ = train(tmp_path / f"a{reset}", stage(), start, by=by, **shaped())
        second = stage(name="two", optimizer={"reset": reset})
        end, _, _ = train(tmp_path / f"b{reset}", second, first, by=by, **shaped())
        ends.append(end.ref.weights_sha)
    assert ends[0] != ends[1]


# Checkpoints --------------------------------------------------------------------------------------


def test_checkpoint_loads_with_transformers_in_fp32(start: Policy, tmp_path: Path) -> None:
    policy, _, run = train(tmp_path, stage(), start, run={"checkpoint_every": 2}, **shaped())
    assert [line["step"] for line in run.lines() if line["t"] == "checkpoint"] == [2, 3]
    assert policy.checkpoint == tmp_path / "checkpoints" / "one-000003"
    assert policy.files.path == policy.checkpoint / "model"
    assert policy.ref == PolicyRef(weights_sha=weights_sha(policy.files.path), stage="one", step=3)
    model = AutoModelForCausalLM.from_pretrained(policy.files.path)
    assert model.dtype == torch.float32
    tokenizer = AutoTokenizer.from_pretrained(policy.files.path)
    assert tokenizer("1+2=", add_special_tokens=False)["input_ids"] == [4, 13, 5, 15]
    assert not same_weights(policy.files.path, start.files.path)
    assert describe(policy.files.path) == policy.files


def test_a_stage_saves_its_last_step_once(start: Policy, tmp_path: Path) -> None:
    _, _, run = train(tmp_path, stage(until={"steps": 4}), start, run={"checkpoint_every": 2}, **shaped())
    assert [line["step"] for line in run.lines() if line["t"] == "checkpoint"] == [2, 4]


# The live engine ----------------------------------------------------------------------------------


def test_engine_has_the_live_weights(start: Policy, tmp_path: Path) -> None:
    by = trainer(tmp_path)
    run = LiveRun(tmp_path / "probe", strata="1")
    tasks = [run.heldout.draw("1", i) for i in range(3)]

    def texts(engine: Any) -> list[str]:
        from harness.contract.records import Request, RolloutKey, Sampling
        from tests.support.live_session import gather

        rollouts = gather(
            engine,
            [
                Request(RolloutKey("r", "eval", "", 0, t.id, 0), t.prompt, Sampling(max_tokens=6))
                for t in tasks
            ],
        )
        return [r.text for r in sorted(rollouts, key=lambda r: r.key.task)]

    before = texts(by.engine(start))
    policy, _, _ = train(tmp_path / "a", stage(optimizer={"lr": 0.05}), start, by=by, **shaped())
    after = texts(by.engine(policy))
    assert before != after
    separate = TransformersEngine(None, context(tmp_path))
    separate.sync_weights(policy)
    assert texts(separate) == after
    assert texts(by.engine(start)) == before, "an older policy is loaded again"


def test_evaluations_inside_a_stage_use_the_live_weights(start: Policy, tmp_path: Path) -> None:
    _, _, run = train(tmp_path, stage(until={"steps": 4}), start, run={"evaluate_every": 2}, **shaped())
    assert [step for step, _ in run.evaluations] == [2]


# Stages -------------------------------------------------------------------------------------------


def test_reference_is_the_policy_the_run_started_from(start: Policy, tmp_path: Path) -> None:
    by = trainer(tmp_path)
    first, history, _ = train(tmp_path / "a", stage(loss={"kl": 0.1}), start, by=by, **shaped())
    assert history[0].kl == pytest.approx(0, abs=1e-6)
    assert history[-1].kl is not None
    assert history[-1].kl > 1e-5
    two = stage(name="two", loss={"kl": 0.1}, until={"steps": 1})
    _, live, _ = train(tmp_path / "b", two, first, by=by, **shaped())
    assert live[0].kl is not None
    assert live[0].kl > 1e-4, "still measured from the start, not from the stage's"
    _, resumed, _ = train(tmp_path / "c", two, first, **shaped())
    assert resumed[0].kl == pytest.approx(live[0].kl)
    told = trainer(tmp_path, reference=str(first.files.path))
    _, other, _ = train(tmp_path / "d", two, first, by=told, **shaped())
    assert other[0].kl == pytest.approx(0, abs=1e-6)


def test_stage_settings_are_honoured(start: Policy, tmp_path: Path) -> None:
    def run(name: str, **changes: Any) -> tuple[Policy, list[StepMetrics], LiveRun]:
        return train(tmp_path / name, stage(until={"steps": 2}, **changes), start, **shaped())

    _, wide, _ = run("wide", rollout={"n": 6, "batch": 3, "max_tokens": 2})
    assert wide[0].rollouts == 18
    assert wide[0].tokens <= 36
    _, warm, _ = run("warm", optimizer={"lr": 1e-2, "warmup_steps": 4})
    assert [m.learning_rate for m in warm] == pytest.approx([2.5e-3, 5e-3])
    _, entropy, _ = run("entropy", loss={"entropy": 0.1})
    assert entropy[0].entropy is not None
    assert 0 < entropy[0].entropy < 2.8
    _, _, greedy = run("greedy", rollout={"temperature": 0.0})
    groups = [line["group"] for line in greedy.lines() if line["t"] == "group"]
    assert all(len({tuple(r["completion_ids"]) for r in g["rollouts"]}) == 1 for g in groups)
    ends = {
        name: run(name, **changes)[0].ref.weights_sha
        for name, changes in {
            "plain": {},
            "clipped": {"optimizer": {"max_grad_norm": 1e-6}},
            "decayed": {"optimizer": {"weight_decay": 0.5}},
            "masked": {"loss": {"mask_truncated": True}},
            "cold": {"rollout": {"temperature": 0.5}},
        }.items()
    }
    assert len(set(ends.values())) == len(ends)


def test_masked_rewards_leave_the_loss(start: Policy, tmp_path: Path) -> None:
    _, history, _ = train(tmp_path, stage(until={"steps": 1}), start, shapers=[Masked()])
    _, full, _ = train(tmp_path / "full", stage(until={"steps": 1}), start, **shaped())
    assert history[0].extra["trained_tokens"] < full[0].extra["trained_tokens"]


def test_a_step_without_any_signal_still_counts(start: Policy, tmp_path: Path) -> None:
    """Level 9 is never solved here: nothing to learn, weights stay, the step is reported."""
    policy, history, _ = train(tmp_path, stage(until={"steps": 2}), start, strata="9")
    assert [(m.zero_variance_groups, m.loss, m.grad_norm) for m in history] == [(1.0, 0.0, 0.0)] * 2
    assert same_weights(policy.files.path, start.files.path)


def test_budget_ends_the_stage(start: Policy, tmp_path: Path) -> None:
    run = {"budget": Budget(rollouts=72)}
    _, history, _ = train(tmp_path, stage(until={}), start, run=run, **shaped())
    assert [m.rollouts for m in history] == [32, 32, 8]


def test_normalisation_is_the_conventions(start: Policy, tmp_path: Path) -> None:
    long = stage(rollout={"max_tokens": 16})
    token, sequence = (
        train(tmp_path / n, long, start, conventions=Conventions(normalise=n), **shaped())[1][0].loss  # type: ignore[arg-type]
        for n in ("token", "sequence")
    )
    # Advantages cancel over sequences, and over tokens only where all are of one length.
    assert sequence == pytest.approx(0, abs=1e-6)
    assert token != pytest.approx(0, abs=1e-6)


def test_extra_terms_are_built_from_the_recipe(start: Policy, tmp_path: Path) -> None:
    built: list[tuple[str, str, dict[str, Any]]] = []

    class Term:
        inputs = ("logprobs", "old_logprobs", "ref_logprobs", "entropy", "rewards", "advantages", "mask")

        def __call__(self, **given: Any) -> Any:
            assert set(given) == set(self.inputs)
            assert len({tuple(value.shape) for value in given.values()}) == 1
            return 0.1 * given["logprobs"] * given["rewards"]

    def build(kind: str, name: str, options: Any) -> Term:
        built.append((kind, name, dict(options)))
        return Term()

    by = TorchTrainer(None, replace(context(tmp_path), build=build))
    what = stage(loss={"terms": [{"name": "mine", "scale": 2}]}, until={"steps": 2})
    policy, _, _ = train(tmp_path / "a", what, start, by=by, **shaped())
    assert built == [("losses", "mine", {"scale": 2})]
    plain, _, _ = train(tmp_path / "b", stage(until={"steps": 2}), start, **shaped())
    assert policy.ref != plain.ref


def test_bf16_trains_and_keeps_fp32_weights(start: Policy, tmp_path: Path) -> None:
    by = trainer(tmp_path, precision="bf16")
    policy, history, _ = train(tmp_path / "a", stage(), start, by=by, **shaped())
    exact, plain, _ = train(tmp_path / "b", stage(), start, **shaped())
    assert AutoModelForCausalLM.from_pretrained(policy.files.path).dtype == torch.float32
    assert policy.ref != exact.ref
    assert history[0].grad_norm == pytest.approx(plain[0].grad_norm, rel=0.5)


# Refusals -----------------------------------------------------------------------------------------


def test_numbers_that_are_not_finite_end_the_stage_with_its_name(start: Policy, tmp_path: Path) -> None:
    def broken(value: float) -> Callable[..., list[float]]:
        return lambda self, group, label: [value] * group.size

    for value, message in (
        (1e300, "loss is"),
        (3e38, "gradient's norm is"),
    ):
        kind = type("Broken", (Alternate,), {"advantages": broken(value)})
        folder = tmp_path / str(value)
        with pytest.raises(TrainingError, match=rf"stage 'one', step 1: the {message}"):
            train(folder, stage(), start, shapers=[kind()])
        assert not (folder / "checkpoints").exists()


def test_a_checkpoint_without_trainer_state_is_refused(start: Policy, tmp_path: Path) -> None:
    policy, _, _ = train(tmp_path, stage(), start, **shaped())
    assert policy.checkpoint is not None
    (policy.checkpoint / "trainer.pt").unlink()
    with pytest.raises(TrainingError, match="no state of the trainer 'torch'"):
        train(tmp_path / "b", stage(name="two"), policy, **shaped())


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("model/model.safetensors", "model: the checkpoint's weights have changed: their hash is "),
        ("model/config.json", "model: the model cannot be read: "),
        ("model/tokenizer.json", "model: the tokenizer cannot be read: "),
        ("trainer.pt", r"trainer\.pt: the trainer's state cannot be read: "),
    ],
)
def test_a_damaged_checkpoint_is_named(start: Policy, tmp_path: Path, file: str, words: str) -> None:
    policy, _, _ = train(tmp_path, stage(), start, **shaped())
    assert policy.checkpoint is not None
    cut(policy.checkpoint / file)
    with pytest.raises(DataError, match=words) as named:
        train(tmp_path / "b", stage(name="two"), policy, **shaped())
    assert "next: restore the folder" in str(named.value)


def test_a_damaged_model_is_named(files: ModelFiles, tmp_path: Path) -> None:
    shutil.copytree(files.path, tmp_path / "model")
    cut(tmp_path / "model" / "model.safetensors")
    engine = TransformersEngine(None, context(tmp_path))
    policy = Policy(PolicyRef(weights_sha="other"), replace(files, path=tmp_path / "model"))
    with pytest.raises(DataError, match=r"the model cannot be read: Safetensor.*\n  next: make or download"):
        engine.sync_weights(policy)


def test_a_lost_reference_is_named(files: ModelFiles, tmp_path: Path) -> None:
    copy = tmp_path / "base"
    shutil.copytree(files.path, copy)
    start = Policy(PolicyRef(weights_sha=files.weights_sha), describe(copy))
    policy, _, _ = train(tmp_path / "a", stage(), start, **shaped())
    shutil.rmtree(copy)
    with pytest.raises(TrainingError, match="reference model"):
        train(tmp_path / "b", stage(name="two", loss={"kl": 0.1}), policy, **shaped())


def test_kinds_it_does_not_train_are_refused(start: Policy, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="kind 'label'"):
        train(tmp_path, stage(kind="label"), start)
