"""verl itself, on the CPU, driven by recipes: rollouts by vLLM, updates by FSDP2, weights sent between them.

A start of verl takes about a minute on two cores, so that each test asks much of few jobs.
"""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra 'torch'")

import torch
from harness_verl.job import RayJob
from harness_verl_worker.keeper import descendants
from safetensors.torch import load_file

from harness.contract.advantages import group_advantages
from harness.plugging.plugins import load
from harness.recording import ledger
from harness.recording.groups import read_group
from harness.testing.workbench import Recorded, Workbench
from tests.support.heavy import environment_python, running_with
from tests.support.places import ROOT
from tests.support.runs import make_study, start_arm

# A start of verl takes about a minute on an idle machine, and many times that on a busy one.
pytestmark = [pytest.mark.heavy, pytest.mark.timeout(3600)]

#: In the environment of all processes that the tests of this module start.
MARK = "HARNESS_TEST_MARK"

#: The jobs of `runs`.
STARTED: list[RayJob] = []

#: The same for every trainer but for `trainer.name`.
RECIPE: dict[str, Any] = {
    "name": "backends",
    "model": {"name": "chain-334k", "loader": "packaged", "prompt": "raw"},
    "tasks": {"train": [{"name": "arithmetic-chain", "strata": "7-12"}]},
    "difficulty": {
        "estimator": {"name": "pass-rate", "samples": 2, "tasks": 4, "sequential": False},
        "max_tokens": 20,
    },
    "resources": {"device": "cpu"},
    "evaluation": {
        "every_steps": 2,
        "heldout": [
            {
                "name": "chains",
                "tasks": [{"name": "arithmetic-chain", "strata": "7-10", "split": "heldout"}],
                "per_stratum": 4,
                "max_tokens": 16,
            }
        ],
    },
    "checkpoints": {"every_steps": 2, "keep": 9, "min_free_gb": 0.05},
    "report": {"reporters": []},
    "stages": [
        {
            "name": "first",
            "select": "p < 1",  # all of them, but measured
            "curriculum": "uniform",
            "gates": [{"name": "mixed-outcomes", "max_refills": 20}],
            "rollout": {"n": 4, "batch": 4, "max_tokens": 20, "temperature": 0.9},
            "optimizer": {"lr": 1e-4, "warmup_steps": 2},
            "max_steps": 3,
        },
        {
            "name": "second",
            "reestimate": True,
            "curriculum": "uniform",
            "rollout": {"n": 3, "batch": 4, "max_tokens": 10},
            "loss": {"kl": 0.05, "entropy": 0.001, "mask_truncated": True},
            "optimizer": {"lr": 5e-5},
            "max_steps": 2,
        },
        {
            "name": "third",
            "curriculum": "uniform",
            "rollout": {"n": 4, "batch": 3, "max_tokens": 12, "temperature": 0.8},
            "optimizer": {"lr": 2e-5, "weight_decay": 0.1, "betas": (0.8, 0.95)},
            "max_steps": 1,
        },
    ],
}


@pytest.fixture(scope="module")
def verl_python() -> Iterator[str]:
    python = environment_python("verl-cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_VERL_PYTHON", python)
        patch.setenv(MARK, uuid.uuid4().hex)
        yield python


@pytest.fixture(scope="module")
def runs(verl_python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recorded]:
    """The recipe under `verl` and under `torch`."""
    folder = tmp_path_factory.mktemp("backends")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CACHE", str(folder / "cache"))
        patch.setattr(RayJob, "__init__", counted(RayJob.__init__))
        bench = Workbench(folder, load())
        return {name: bench.run(RECIPE | {"trainer": {"name": name}}, name) for name in ("torch", "verl")}


def counted(init: Callable[..., None]) -> Callable[..., None]:
    """The start of a job, which goes into STARTED."""

    def start(job: RayJob, *arguments: Any) -> None:
        STARTED.append(job)
        init(job, *arguments)

    return start


def test_a_stage_is_a_command_to_the_job_unless_it_needs_what_verl_loads_at_its_start(
    runs: dict[str, Recorded],
) -> None:
    """The second stage has a KL term, the first has none; the third asks for nothing new."""
    assert len(runs["verl"].trained) == 3
    assert len(STARTED) == 2


def groups(record: Recorded, stage: str) -> list[Any]:
    return [g for call in record.of("collect") if call.stage == stage for g in call.value.groups]


def test_the_stages_take_their_steps_and_directives(runs: dict[str, Recorded]) -> None:
    names = {
        name: [(c.stage, c.name) for c in record.of("collect", "finish_step", "evaluate", "save")]
        for name, record in runs.items()
    }
    step = ["collect", "finish_step"]
    first = [("first", n) for n in [*step, *step, "evaluate", "save", *step, "save"]]
    second = [("second", n) for n in [*step, *step, "save"]]
    third = [("third", n) for n in [*step, "save"]]
    assert names["verl"] == first + second + third == names["torch"]
    kinds = [(line["name"], line["stage"]) for line in runs["verl"].lines("evaluation")]
    assert kinds == [("before", ""), ("inside", "first"), ("after-stage", "first"),
                     ("after-stage", "second"), ("after-stage", "third"), ("final", "third")]  # fmt: skip


def test_the_curriculum_draws_as_it_does_for_every_trainer(runs: dict[str, Recorded]) -> None:
    labels = {name: record.lines("labels") for name, record in runs.items()}
    assert [line["stage"] for line in labels["verl"]] == ["first", "second"]
    first = {name: [t.id for t in record.of("next_tasks")[0].value] if record.of("next_tasks") else []
             for name, record in runs.items()}  # fmt: skip
    assert first["verl"] == first["torch"]
    assert labels["verl"][0]["labels"] == labels["torch"][0]["labels"]


def test_groups_are_judged_kept_and_normalised_as_the_recipe_says(runs: dict[str, Recorded]) -> None:
    record = runs["verl"]
    assert all(group.mixed for group in groups(record, "first"))
    for stage, n, longest, temperature in (
        ("first", 4, 20, 0.9),
        ("second", 3, 10, 1.0),
        ("third", 4, 12, 0.8),
    ):
        for group in groups(record, stage):
            assert group.size == n
            assert group.advantages == group_advantages(group.rewards, epsilon=1e-6, std="sample")
            for rollout, length, cut in zip(group.rollouts, group.lengths, group.truncated, strict=True):
                assert rollout.sampling.temperature == temperature
                assert len(rollout.completion_ids) == length <= longest
                # verl's are those of the tempered distribution, which a rollout's are not.
                assert (rollout.logprobs is None) == (temperature != 1)
                assert not cut or length == longest
    assert any(cut for group in groups(record, "second") for cut in group.truncated)
    answers = {r.text for g in groups(record, "first") for r in g.rollouts}
    assert len(answers) > 4, "samples of a group are drawn apart"


def test_metrics_have_their_names_and_the_stages_own_values(runs: dict[str, Recorded]) -> None:
    metrics = runs["verl"].metrics()
    assert [(m.stage, m.step) for m in metrics] == [
        ("first", 1), ("first", 2), ("first", 3), ("second", 1), ("second", 2),
        ("third", 1),
    ]  # fmt: skip
    assert [m.learning_rate for m in metrics] == pytest.approx([5e-5, 1e-4, 1e-4, 5e-5, 5e-5, 2e-5])
    assert all(m.loss is not None and m.grad_norm is not None and m.entropy is not None for m in metrics)
    assert all(m.grad_norm > 0 for m in metrics[:3])
    assert all(m.cpu_seconds > 0 and m.seconds > 0 for m in metrics)
    assert [m.kl is None for m in metrics] == [True, True, True, False, False, True]
    assert [m.extra["verl/actor/lr"] for m in metrics] == [m.learning_rate for m in metrics]
    # Rollouts come from the weights that are trained.
    name = "verl/training/rollout_actor_probs_pearson_corr"
    assert all(m.extra[name] > 0.999 for m in metrics)


def test_weights_are_exported_as_they_are(runs: dict[str, Recorded]) -> None:
    (before, middle), (again, after) = runs["verl"].trained[:2]
    assert again.ref == middle.ref
    states = [load_file(next(p.files.path.glob("*.safetensors"))) for p in (before, middle, after)]
    assert {t.dtype for state in states for t in state.values()} == {torch.float32}
    for one, other, rate in ((states[0], states[1], 1e-4), (states[1], states[2], 5e-5)):
        moved = max(float((one[name] - other[name]).abs().max()) for name in one)
        # Adam moves a weight by about its rate each step, however small the gradient.
        assert 0.2 * rate < moved < 4 * rate
    # What generated the second stage's first rollouts is what the first stage's checkpoint holds.
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(middle.files.path, dtype=torch.float32)
    for rollout in groups(runs["verl"], "second")[0].rollouts:
        assert rollout.logprobs == pytest.approx(logprobs(model, rollout).tolist(), abs=1e-3)


def test_the_kl_term_is_that_of_the_runs_first_policy(runs: dict[str, Recorded]) -> None:
    """Verl knows one model a job, which is the stage's first; worked out again from the ledger's rollouts."""
    from transformers import AutoModelForCausalLM

    first, middle = runs["verl"].trained[0]
    policy, reference = (
        AutoModelForCausalLM.from_pretrained(p.files.path, dtype=torch.float32) for p in (middle, first)
    )
    total, tokens = 0.0, 0
    for group in groups(runs["verl"], "second")[:4]:
        for rollout, cut in zip(group.rollouts, group.truncated, strict=True):
            if cut:
                continue  # The stage masks what was cut.
            ratio = logprobs(reference, rollout) - logprobs(policy, rollout)
            total += float((ratio.exp() - ratio - 1).sum())
            tokens += len(ratio)
    kl = runs["verl"].metrics()[3].kl
    assert kl is not None
    assert kl > 0
    assert kl == pytest.approx(total / tokens, rel=2e-2, abs=1e-7)


def logprobs(model: Any, rollout: Any) -> torch.Tensor:
    """Of a rollout's completion tokens, at temperature 1."""
    ids = torch.tensor([[*rollout.prompt_ids, *rollout.completion_ids]])
    with torch.no_grad():
        every = model(ids).logits[0].log_softmax(-1)
    start = len(rollout.prompt_ids) - 1
    return every[start:-1].gather(1, ids[0, start + 1 :, None])[:, 0]


def test_the_optimizer_goes_on_across_stages(runs: dict[str, Recorded]) -> None:
    taken = []
    for _, policy in runs["verl"].trained:
        assert policy.checkpoint is not None
        (file,) = policy.checkpoint.glob("verl/global_step_*/actor/optim_*.pt")
        saved = torch.load(file, weights_only=False)
        taken.append({int(entry["step"]) for entry in saved["state"].values()})
    assert taken == [{3}, {5}, {6}]
    (group,) = saved["param_groups"]
    assert (group["weight_decay"], tuple(group["betas"])) == (0.1, (0.8, 0.95))


def test_nothing_is_left_of_a_job(runs: dict[str, Recorded]) -> None:
    assert len(runs) == 2
    wait_until(lambda: not left(), 120)


# The loss -----------------------------------------------------------------------------------------

LOSS = """
name = "loss"
[model]
name = "chain-334k"
loader = "packaged"
prompt = "raw"
[tasks]
train = [{ name = "arithmetic-chain", strata = "8-9" }]
[trainer]
name = "verl"
[resources]
device = "cpu"
[conventions]
normalise = "{normalise}"
[checkpoints]
min_free_gb = 0.05
[report]
reporters = []
[[stages]]
name = "s"
curriculum = "uniform"
rollout = { n = 8, batch = 4, max_tokens = 10, temperature = 1.5 }
gates = [{ name = "mixed-outcomes", max_refills = 20 }]
loss = { kl = 0.05, entropy = 0.05, mask_truncated = true }
optimizer = { lr = 1e-4 }
max_steps = 1
"""


@pytest.mark.parametrize("normalise", ["sequence", "token"])
def test_what_reaches_verls_loss_is_what_torch_computes(
    verl_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, normalise: str
) -> None:
    """Some sequences masked; KL and entropy terms; on verl's own rollouts."""
    path = tmp_path / "recipe.toml"
    path.write_text(LOSS.replace("{normalise}", normalise))
    run = make_study(path, tmp_path / "runs").folder / "main" / "seed-0"
    process = start_arm(run.parents[1])
    assert process.wait(timeout=1800) == 0, (run / "log.txt").read_text()[-3000:]
    groups = [read_group(x["group"]) for x in ledger.read(run / "ledger.jsonl") if x["t"] == "group"]
    cut = [cut for group in groups for cut in group.truncated]
    counted = [a for g in groups for a, out in zip(g.advantages, g.truncated, strict=True) if not out]
    assert 0 < sum(cut) < len(cut), "some are masked, some count"
    assert any(counted)
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    parity = importlib.import_module("parity")
    own, reference = parity.replayed(run, tmp_path / "again", load())
    assert own.loss == pytest.approx(reference.loss, rel=1e-3)
    assert own.grad_norm == pytest.approx(reference.grad_norm, rel=1e-4)
    if normalise == "token":  # verl's metric is a mean of the same kind as its loss, ours is over tokens
        assert own.entropy == pytest.approx(reference.entropy, rel=1e-3)
    assert own.kl == pytest.approx(reference.kl, abs=1e-6)


# Kills --------------------------------------------------------------------------------------------

KILLED = """
name = "killed"
[model]
name = "chain-334k"
loader = "packaged"
prompt = "raw"
[tasks]
train = [{ name = "arithmetic-chain", strata = "7-10" }]
[trainer]
name = "verl"
reward_seconds = 20
# Nothing is rejected, and every weight is one half: what verl corrects is in the loss, and can be worked out.
overrides = [
    "algorithm.rollout_correction.rollout_is=token",
    "algorithm.rollout_correction.rollout_is_threshold=0.5",
    "algorithm.rollout_correction.rollout_rs=token_k1",
    "algorithm.rollout_correction.rollout_rs_threshold='0.5_2.0'",
]
[resources]
device = "cpu"
stall_seconds = 240
[evaluation]
each_stage = false
[[evaluation.heldout]]
name = "chains"
tasks = [{ name = "arithmetic-chain", strata = "9-10", split = "heldout" }]
per_stratum = 2
max_tokens = 14
[checkpoints]
every_steps = 1
keep = 99
min_free_gb = 0.05
[report]
reporters = []
[[stages]]
name = "long"
rollout = { n = 8, batch = 8, max_tokens = 20 }
optimizer = { lr = 3e-4 }
max_steps = 400
"""


#: What the driver says of a job that lost a process: it died of it, waits for what cannot come, or has no
#: answers left. Which of them it is depends on what verl was at.
GUARD = (
    r"trainer 'verl', stage 'long'(, step \d+)?: ("
    r"the verl job (died \(exit code -?\d+\)|has made no progress for \d+ s|lost samples: \d+ groups)"
    r"|resources\.stall_seconds: .*; the verl job is at '"
    r"|verl lost \d+ samples of \d+ groups"
    r"|verl answered none of the step's \d+ requests: )"
    r"|stage 'long', step \d+: none of \d+ samples could be judged: "
)


def test_every_kill_is_a_named_error_and_the_run_goes_on_after_it(verl_python: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(KILLED)
    study = make_study(path, tmp_path / "runs").folder
    run = study / "main" / "seed-0"
    begun = 0
    for victim in ("ray::WorkerDict", "VLLM::EngineCore"):
        before = (run / "log.txt").stat().st_size if begun else 0
        process = start_arm(study)
        begun = wait_for_steps(run, begun + 3, process)
        pids = named(victim, process.pid)
        assert any(line.startswith(victim) for line in left()), "processes keep their environment"
        assert pids, f"no {victim} among {sorted(names(process.pid))}"
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert process.wait(timeout=300) not in (0, None)
        wait_until(lambda: not left(), 120)
        # Of this start alone: the log has those before it, too.
        words = (run / "log.txt").read_bytes()[before:].decode().partition("it said last")[0]
        assert "Traceback" not in words
        assert re.search(GUARD, words), words[-3000:]

    for _ in range(2):  # The driver itself; after its end the run goes on once more.
        process = start_arm(study)
        begun = wait_for_steps(run, begun + 3, process)
        process.kill()
        process.wait()
        wait_until(lambda: not left(), 120)
    lines = list(ledger.read(run / "ledger.jsonl"))
    resumed = [line["step"] for line in lines if line["t"] == "rewound"]
    assert len(resumed) == 3
    for step in resumed:
        rollouts_are_of(run, lines, step)
    steps_are_updates(run, lines)
    corrections_are_in_the_loss(lines)


def rollouts_are_of(run: Path, lines: list[Any], step: int) -> None:
    """The first rollouts after a resume come from the weights of the checkpoint that it resumed from."""
    from transformers import AutoModelForCausalLM

    groups = [read_group(line["group"]) for line in lines if line["t"] == "group"]
    first = [r for group in groups if group.step == step + 1 for r in group.rollouts or ()]
    assert len(first) == 64

    def furthest(at: int) -> float:
        folder = run / "checkpoints" / f"long-{at:06d}" / "model"
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        return max(float((logprobs(model, r) - torch.tensor(r.logprobs)).abs().max()) for r in first)

    assert furthest(step) < 1e-3
    assert furthest(step - 1) > 1e-3, "weights of one step before are told apart"


def steps_are_updates(run: Path, lines: list[Any]) -> None:
    """No step of the ledger's is missing in the optimizer's count, and none is in it twice."""
    done = [line["metrics"]["step"] for line in lines if line["t"] == "step"]
    saved = [line["step"] for line in lines if line["t"] == "checkpoint"]
    assert done == list(range(1, len(done) + 1))
    assert saved in (done, done[:-1])
    for step in saved:
        (file,) = run.glob(f"checkpoints/long-{step:06d}/verl/global_step_{step}/actor/optim_*.pt")
        state = torch.load(file, weights_only=False)["state"]
        assert {int(entry["step"]) for entry in state.values()} == {step}


def corrections_are_in_the_loss(lines: list[Any]) -> None:
    """With importance weights of one half, a step's loss is half of what its advantages make it."""
    metrics = {line["metrics"]["step"]: line["metrics"] for line in lines if line["t"] == "step"}
    groups = [read_group(line["group"]) for line in lines if line["t"] == "group"]
    largest = 0.0
    for step, numbers in metrics.items():
        samples = [
            (advantage, length)
            for group in groups
            if group.step == step
            for advantage, length in zip(group.advantages, group.lengths, strict=True)
        ]
        whole = -sum(a * n for a, n in samples) / sum(n for _, n in samples)
        assert numbers["loss"] == pytest.approx(whole / 2, abs=1e-5)
        largest = max(largest, abs(whole))
        extra = numbers["extra"]
        assert extra["verl/rollout_corr/rollout_is_mean"] == pytest.approx(0.5)
        assert extra["verl/rollout_corr/rollout_rs_masked_fraction"] == 0
    assert largest > 1e-3


def wait_for_steps(run: Path, count: int, process: subprocess.Popen[bytes]) -> int:
    """Until the ledger's last step is `count`; returns it."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        assert process.poll() is None, (run / "log.txt").read_text()[-3000:]
        file = run / "ledger.jsonl"
        last = (
            [line["metrics"]["step"] for line in ledger.read(file) if line["t"] == "step"]
            if file.exists()
            else []
        )
        if last and last[-1] >= count:
            return int(last[-1])
        time.sleep(0.3)
    raise AssertionError((run / "log.txt").read_text()[-3000:])


def wait_until(holds: Any, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, left()
        time.sleep(0.2)


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def names(pid: int) -> set[str]:
    return {command(child) for child in descendants(pid)}


def named(name: str, pid: int) -> list[int]:
    return [child for child in descendants(pid) if command(child).startswith(name)]


def left() -> list[str]:
    """Commands of processes of this module's jobs that run still; others on the machine have theirs."""
    return running_with(f"{MARK}={os.environ[MARK]}", "HARNESS_VERL_TOKEN=")
