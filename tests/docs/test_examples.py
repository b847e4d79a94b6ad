"""docs/examples: one complete plugin per hook, each loaded, examined and run."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.benchmarking.profile import load_profile
from harness.contract import (
    BuildContext,
    DataError,
    Group,
    Job,
    Launch,
    Message,
    PolicyRef,
    ReportContext,
    Request,
    Rollout,
    RolloutKey,
    RunInfo,
    Sample,
    Sampling,
    ScoredSample,
    Span,
    Task,
    Verdict,
)
from harness.contract.kinds import KINDS
from harness.planning.plan import make_plans
from harness.plugging.examining import faults
from harness.plugging.loading import HOOKS
from harness.plugging.plugins import Plugins, load
from harness.recipe import load_recipe
from harness.recording.ledger import read
from harness.running.loop import run
from harness.tasks.pool import TaskPool
from harness.testing.engine import gather
from harness.testing.groups import group_with
from harness.testing.workbench import context as context_of
from tests.support.places import ROOT
from tests.support.recipes import SIM, TORCH, write
from tests.support.waiting import until

EXAMPLES = ROOT / "docs" / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
#: What an example cannot be built without.
OPTIONS: dict[str, dict[str, Any]] = {
    "engines": {"engine": {"name": "echo", "text": "5"}},
    "sandboxes": {"inner": {"name": "unsafe-local", "i_know_what_i_do": True, "slots": 1}},
    "trainers": {"inner": "sim"},
}


#: Further examples of a kind.
FURTHER = {"process_reward": "shapers"}


def loaded(name: str) -> Plugins:
    plugins = load(local=EXAMPLES / f"{name}.py")
    assert plugins.status(f"local/{name}").state == "ok", plugins.status(f"local/{name}").reason
    return plugins


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Any]:
    """Build the example of a kind."""

    def make(kind: str, **changes: Any) -> Any:
        plugins = loaded(kind)
        context: BuildContext = context_of(plugins, tmp_path / "cache", base=tmp_path)
        for name, value in changes.items():
            object.__setattr__(context, name, value)
        (registration,) = plugins.status(f"local/{kind}").registrations
        return registration.build(OPTIONS.get(kind, {}), context)

    return make


def test_every_hook_has_an_example() -> None:
    assert set(KINDS) == set(NAMES) - {"events", *FURTHER}
    events = {hook for hook in HOOKS if not hook.startswith("register_")}
    assert set(loaded("events").status("local/events").events) == events


@pytest.mark.parametrize("name", NAMES)
def test_an_example_loads_and_is_without_fault(name: str, tmp_path: Path) -> None:
    plugins = loaded(name)
    for registration in plugins.status(f"local/{name}").registrations:
        assert registration.kind == FURTHER.get(name, name)
        assert list(faults(registration, context_of(plugins, tmp_path))) == []


# Alone ---------------------------------------------------------------------------------------------


def rollout(text: str, tokens: int = 3, finish: Any = "stop") -> Rollout:
    return Rollout(
        key=RolloutKey("run", "eval", "", 0, "t", 0), prompt_ids=(1,), completion_ids=(2,) * tokens,
        text=text, finish=finish, policy=PolicyRef(weights_sha="0"), sampling=Sampling(),
    )  # fmt: skip


def verdict(status: Any, score: float | None) -> Verdict:
    return Verdict(status=status, score=score, verifier="exact", verifier_hash="")


TASK = Task(id="t", prompt=(Message("user", "2+3="),), verifier="local/anywhere", answer="5")


def test_a_source_gives_its_tasks_and_a_filter_drops_long_ones(build: Callable[..., Any]) -> None:
    source, keep = build("task_sources"), build("task_filters")
    assert source.draw("squares/9", 3).answer == "81"
    with pytest.raises(DataError, match="squares/10"):
        source.get("squares/10")
    assert len(TaskPool([source], filters=[keep]).subjects) == 10
    assert not keep.keep(Task(id="x", prompt=(Message("user", "x" * 2001),), verifier="", answer=""))


def test_a_loader_finds_the_newest_model(build: Callable[..., Any], tmp_path: Path) -> None:
    loader = build("models", model="exports")
    with pytest.raises(DataError, match="holds no model"):
        loader.load()
    for day in ("2025-01-01", "2025-01-02"):
        (tmp_path / "exports" / day).mkdir(parents=True)
        (tmp_path / "exports" / day / "config.json").write_text("{}")
    assert loader.load().path.name == "2025-01-02"


def test_a_benchmark_is_asked_by_a_profile(build: Callable[..., Any], tmp_path: Path) -> None:
    benchmark = build("benchmarks")
    plugins = loaded("profiles")
    profile = load_profile("local/plain", plugins, context_of(plugins, tmp_path))
    asked = profile.asked(benchmark.tasks()[1], "sums")
    assert (asked.prompt[-1].content, asked.verifier, asked.answer) == ("40+2=", "exact", "42")


def test_a_verifier_judges_and_a_reward_reduces(build: Callable[..., Any]) -> None:
    verifier, reward = build("verifiers"), build("rewards")
    judged = [verifier.verify(TASK, rollout(text)) for text in ("it is 5", "it is 6")]
    assert [v.status for v in judged] == ["pass", "fail"]
    assert judged[0].verifier_hash == verifier.hash != ""
    assert [reward(v) for v in (*judged, verdict("no_answer", 0.0))] == [1.0, 0.1, 0.0]


def test_a_sandbox_runs_programs_in_another(build: Callable[..., Any]) -> None:
    sandbox = build("sandboxes")
    raw = asyncio.run(sandbox.run(Job("print(2 + 3)")))
    sandbox.close()
    assert (raw.status, raw.stdout, dict(sandbox.statuses)) == ("ok", b"5\n", {"ok": 1})


def test_an_engine_asks_another(build: Callable[..., Any]) -> None:
    key = RolloutKey("run", "eval", "", 0, "t", 0)
    answers = gather(build("engines"), [Request(key, TASK.prompt, Sampling(max_tokens=4))])
    assert answers[key].text == "5"


def test_a_gate_keeps_and_a_shaper_adds(build: Callable[..., Any]) -> None:
    gate, shaper = build("gates"), build("shapers")
    assert gate.keep(group_with([1, 0], truncated=[True, False]))
    assert not gate.keep(group_with([1, 0, 0], truncated=[True, True, False]))
    assert shaper.rewards(group_with([1, 1, 0, None], lengths=[9, 5, 1, 1]), None) == [1, 1.1, 0, None]


def test_a_process_reward_credits_each_token_by_its_step(tmp_path: Path) -> None:
    """The tokenizer is a real one; the process reward of GRPO is worked out by hand."""
    from transformers import AutoTokenizer

    plugins = loaded("process_reward")
    loader = plugins.registry.find("models", "random-llama")
    context = context_of(plugins, tmp_path)
    files = loader.build({"width": 8, "heads": 2, "layers": 1, "mlp_width": 8}, context).load()
    (registration,) = plugins.status("local/process_reward").registrations
    shaper = registration.build({}, replace(context, initial=files))
    tokenizer = AutoTokenizer.from_pretrained(files.path)

    def sample(first: float, second: float) -> Sample:
        text = "1+2=3"
        ids = (*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id)
        spans = (Span(0, 4, first), Span(4, 5, second))
        judged = replace(verdict("pass" if second else "fail", second), spans=spans)
        return Sample.of(replace(rollout(text), completion_ids=ids), judged, second)

    group = Group(task="t", subject="t", step=1, samples=(sample(1.0, 1.0), sample(1.0, 0.0)))
    (right, wrong) = shaper.advantages(group, None)
    up, down = 0.25 / 0.4330137, -0.75 / 0.4330137
    assert right == pytest.approx([2 * up] * 4 + [up, 0.0], rel=1e-4)
    assert wrong == pytest.approx([up + down] * 4 + [down, 0.0], rel=1e-4)


def test_a_loss_term_is_a_matrix_per_token(build: Callable[..., Any]) -> None:
    torch = pytest.importorskip("torch")
    entropy = torch.tensor([[0.05, 0.5]], requires_grad=True)
    loss = build("losses")(entropy=entropy)
    assert loss.tolist() == [[pytest.approx(0.01 * 0.05), 0.0]]
    loss.sum().backward()
    assert entropy.grad.tolist() == [[pytest.approx(-0.01), 0.0]]


def test_a_metric_sums_over_samples(build: Callable[..., Any]) -> None:
    samples = [ScoredSample(TASK, rollout("", n), verdict(s, 0.0)) for s, n in (("pass", 3), ("fail", 9))]
    assert build("metrics")(samples) == {"waste": 0.75}
    assert build("metrics")([]) == {"waste": 0.0}


def test_a_reporter_writes_and_a_command_speaks(build: Callable[..., Any], tmp_path: Path) -> None:
    runs = [RunInfo(tmp_path, "r", "main", seed) for seed in (0, 1)]
    reported = build("reporters").report(ReportContext(tmp_path, runs))
    assert reported.files[0].read_text() == "main 0\nmain 1\n"
    command = loaded("commands").registry.find("commands", "local/greet").load()
    assert CliRunner().invoke(command, ["--times", "2"]).output == "hello\nhello\n"


def test_a_launcher_starts_a_run_and_says_how_it_ended(build: Callable[..., Any], tmp_path: Path) -> None:
    log, info = tmp_path / "log", RunInfo(tmp_path, "r", "main", 0)
    work = ["sh", "-c", "echo at work; exit 3"]
    launched = build("launchers").start(Launch(info, work, log, finished=False))
    until(lambda: launched.poll().code is not None)
    launched.leave(interrupted=False)
    assert (launched.poll().code, log.read_text()) == (3, "at work\n")


# In a run ------------------------------------------------------------------------------------------

SHORT = ("stages.0.repeat=1", "stages.0.max_steps=2", "stages.0.gates=[]", "stages.0.curriculum=uniform")


@pytest.mark.parametrize(
    ("name", "override"),
    [
        ("difficulty_estimators", "difficulty.estimator=local/fixed"),
        ("curricula", "stages.0.curriculum=local/easy-first"),
        ("gates", 'stages.0.gates=["local/mostly-whole"]'),
        ("shapers", 'stages.0.shapers=["local/shortest"]'),
        ("trackers", 'report.trackers=["local/lines"]'),
        ("events", "detail=group"),
    ],
)
def test_an_example_does_its_part_in_a_run(name: str, override: str, tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, SIM), (*SHORT, override))
    (plan,) = make_plans(recipe, loaded(name))
    run(plan, tmp_path / "run")
    steps = [line for line in read(tmp_path / "run" / "ledger.jsonl") if line["t"] == "step"]
    assert len(steps) == 2
    if name == "trackers":
        told = (tmp_path / "run" / "metrics.txt").read_text().splitlines()
        assert [line.split()[0] for line in told] == ["#", "0", "1", "2", "2", "2", "#"]
        assert told[-1] == "# done"
    if name == "events":
        told = (tmp_path / "run" / "events.txt").read_text()
        assert told.startswith("small-sim, arm main, seed 0\n")
        assert told.endswith("done\n")
        assert "step 2: " in told


PLAIN = ("stages.0.loss.kl=0.0", "stages.0.max_steps=1", "evaluation.every_steps=9")


@pytest.mark.parametrize(
    ("name", "override"),
    [
        ("trainers", "trainer=local/announced"),
        ("losses", 'stages.0.loss.terms=["local/entropy-floor"]'),
    ],
)
def test_an_example_does_its_part_with_a_model(
    name: str, override: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    recipe = load_recipe(write(tmp_path, TORCH), (*PLAIN, override))
    (plan,) = make_plans(recipe, loaded(name))
    run(plan, tmp_path / "run")
    steps = [line for line in read(tmp_path / "run" / "ledger.jsonl") if line["t"] == "step"]
    assert steps
    assert all(math.isfinite(step["metrics"]["loss"]) for step in steps)
