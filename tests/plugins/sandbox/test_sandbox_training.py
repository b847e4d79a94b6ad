"""Training with programs for rewards: the mixed recipe for real, and what becomes of rewards when the engine,
a container or a sandbox host is killed in the middle of a step. No reward is lost, none is invented."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from harness_tasks.functions import FunctionOptions, SmallFunctions

from harness.contract.records import PolicyRef, Rollout, Sampling, StepMetrics, Task
from harness.contract.samples import Group
from harness.recipe import Stage
from harness.recording import ledger
from harness.scoring import Scorer, VerifierSpec
from harness.training.session import StageSession
from tests.support.docker_engine import own_engine
from tests.support.live_session import LiveRun, context
from tests.support.places import ROOT
from tests.support.runs import harness
from tests.support.sandbox_hosts import TOKEN, VARIABLE, host
from tests.support.sandboxes import build_context

RECIPE = ROOT / "recipes" / "math-code.toml"
STAGE = {"name": "s", "reward": "fraction", "rollout": {"n": 4, "batch": 3, "max_tokens": 64}}
LABEL = "staged-harness.sandbox.owner"


# The recipe ---------------------------------------------------------------------------------------


@pytest.mark.docker
def test_math_and_code_are_trained_in_one_batch_with_docker_rewards(tmp_path: Path) -> None:
    """The recipe that ships: as it is fitted, measured and selected, with fewer steps of GRPO and held-out
    problems, which takes some 40 seconds of CPU."""
    build_image()
    before = orphans()
    small = ("stages.1.max_steps=4", "evaluation.heldout.0.per_stratum=4",
             "evaluation.heldout.1.per_stratum=4", "verifiers.code.sandbox.name=docker")  # fmt: skip
    sets = [word for value in small for word in ("--set", value)]
    done = harness("run", str(RECIPE), "--runs", str(tmp_path), *sets, cwd=tmp_path, seconds=1200)
    assert done.returncode == 0, done.stderr[-2000:]
    (path,) = tmp_path.glob("*/main/seed-0/ledger.jsonl")
    lines = list(ledger.read(path))
    opened = next(line for line in lines if line["t"] == "opened")
    hashes = opened["verifiers"]
    assert set(hashes) == {"exact", "code"}

    groups = [line["group"] for line in lines if line["t"] == "group" and line["stage"] == "mixed"]
    per_step = Counter((g["step"], domain_of(g["subject"])) for g in groups)
    assert per_step == {
        (step, domain): n for step in (1, 2, 3, 4) for domain, n in (("math", 21), ("code", 10))
    }

    labels = next(line for line in lines if line["t"] == "labels")["labels"]
    assert {label["subject"] for label in labels} == {
        "1",
        "2",
        "3",
        "4",
        *(f"functions-{n}" for n in (1, 2, 3, 4)),
    }
    for label in labels:
        verifier = "code" if domain_of(label["subject"]) == "code" else "exact"
        assert label["verifier_hash"] == hashes[verifier]
        assert (label["samples"], label["excluded_infra"]) == (32, 0)
    # What the stage before taught is enough for a signal, and the rule leaves some of each domain.
    started = next(line for line in lines if line["t"] == "stage_started" and line["stage"] == "mixed")
    sometimes = {label["subject"] for label in labels if 0 < label["passes"] < label["samples"]}
    assert set(started["subjects"]) == sometimes
    assert {domain_of(subject) for subject in sometimes} == {"math", "code"}
    for domain in ("math", "code"):
        passes = [label["passes"] for label in labels if domain_of(label["subject"]) == domain]
        assert sum(passes) / (32 * len(passes)) >= 0.2, domain

    for domain in ("math", "code"):
        rewards = [r for g in groups if domain_of(g["subject"]) == domain for r in g["rewards"]]
        # A signal in both: some right, some not, and nothing that could not be judged.
        assert None not in rewards
        assert 0 < sum(rewards) < len(rewards), domain
    steps = [line["metrics"] for line in lines if line["t"] == "step" and line["metrics"]["stage"] == "mixed"]
    assert all(step["grad_norm"] > 0 for step in steps)
    evaluated = [line for line in lines if line["t"] == "evaluation"]
    assert {line["heldout"] for line in evaluated} == {"chains", "functions"}
    assert not any("refused" in line for line in evaluated)
    assert not orphans() - before, "the run left containers behind"


def domain_of(subject: str) -> str:
    return "code" if subject.startswith("functions-") else "math"


def orphans() -> set[str]:
    """Containers whose process is gone."""
    from harness_docker import engine
    from harness_sandbox import owner

    client = engine.connect()
    try:
        listed = client.api.containers(all=True, filters={"label": LABEL})
        return {c["Id"] for c in listed if owner.dead(c["Labels"][LABEL])}
    finally:
        client.close()


# Rewards when something is killed -----------------------------------------------------------------


def build_image() -> None:
    from harness_docker import engine, image

    client = engine.connect()
    image.build(client, build_context().cache)
    client.close()


@contextmanager
def training(folder: Path, **sandbox: Any) -> Iterator[StageSession]:
    """A real session over small functions, whose programs are judged in this sandbox."""
    run = LiveRun(folder)
    run.scorer.close()
    options = FunctionOptions.model_validate({"strata": "1-3"})
    run.source = SmallFunctions(options, context(folder))
    spec = VerifierSpec(
        name="code",
        target="harness_code.verifier:CodeVerifier",
        options={"sandbox": sandbox, "run": "all_tests"},
        options_model="harness_code.verifier:CodeOptions",
        submits=True,
        cache=str(build_context().cache),
    )
    run.scorer = Scorer({"code": spec})
    try:
        yield run.session(Stage.model_validate(STAGE))
    finally:
        run.scorer.close()


def step(session: StageSession, act: Callable[[], object] | None = None) -> list[Group]:
    """One step: even samples are right, odd ones wrong; where something is done to it on its way, after a
    second, its twelve programs nap for long enough that most of them are left by then."""
    nap = 1.0 if act else 0.05

    def generate(tasks: Sequence[Task]) -> Iterator[Rollout]:
        for task, requests in zip(tasks, session.requests(tasks), strict=True):
            for number, request in enumerate(requests):
                program = task.meta["solution"].replace("def f", f"import time; time.sleep({nap})\ndef f")
                yield Rollout(
                    key=request.key,
                    prompt_ids=(1,),
                    completion_ids=(1,),
                    text=program if number % 2 == 0 else program.replace("return a", "return [a]"),
                    finish="stop",
                    policy=PolicyRef(weights_sha="w"),
                    sampling=Sampling(),
                )

    def later() -> None:
        if act:
            time.sleep(1.0)
            act()

    with ThreadPoolExecutor(1) as threads:
        acted = threads.submit(later)
        batch = session.collect(generate)
        acted.result()
    metrics = StepMetrics(
        stage="s", step=session.steps_done + 1, rollouts=12, tokens=12, reward_mean=0.5, reward_sd=0.5,
        pass_rate=0.5, zero_variance_groups=0.0, truncated=0.0,
    )  # fmt: skip
    session.finish_step(metrics)
    return list(batch.groups)


def masked(groups: Sequence[Group]) -> int:
    """How many rewards are masked; every other one is checked to be the one that was earned."""
    assert [group.size for group in groups] == [4, 4, 4]
    count = 0
    for group in groups:
        for number, (reward, status, advantage) in enumerate(
            zip(group.rewards, group.statuses, group.advantages, strict=True)
        ):
            if reward is None:
                assert (status, advantage) == ("infra_error", 0.0)
                count += 1
            else:
                assert (reward, status) == ((1.0, "pass") if number % 2 == 0 else (0.0, "fail"))
    return count


@pytest.mark.docker
def test_killed_containers_cost_no_reward(tmp_path: Path) -> None:
    build_image()

    def kill() -> None:
        from harness_docker import engine
        from harness_sandbox import owner

        client = engine.connect()
        mine = [c["Id"] for c in client.api.containers(filters={"label": f"{LABEL}={owner.mine()}"})]
        assert len(mine) == 2
        for container in mine:
            client.api.kill(container)
        client.close()

    with training(tmp_path, name="docker", slots=2, memory_mb=256) as session:
        assert masked(step(session)) == 0
        assert masked(step(session, kill)) == 0
        assert masked(step(session)) == 0


@pytest.mark.docker
def test_rewards_outlive_an_engine_that_is_killed_and_wait_for_one_that_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_engine(monkeypatch) as start:
        running = [start()]
        build_image()

        def kill() -> None:
            running[-1].kill()
            running[-1].wait()

        def restart() -> None:
            kill()
            time.sleep(0.5)
            running.append(start())

        with training(tmp_path / "a", name="docker", slots=2, memory_mb=256) as session:
            assert masked(step(session)) == 0
            # One that comes back in time costs nothing.
            assert masked(step(session, restart)) == 0
        with training(tmp_path / "b", name="docker", slots=2, memory_mb=256, recovery_seconds=1.0) as session:
            assert masked(step(session)) == 0
            # One that does not: what was not judged is masked, and the step is recorded as it is.
            lost = masked(step(session, kill))
            assert 0 < lost <= 12
            assert masked(step(session)) == 12
            running.append(start())
            assert masked(step(session)) == 0
        lines = [line for line in ledger.read(tmp_path / "b" / "ledger.jsonl") if line["t"] == "group"]
        assert len(lines) == 12
        assert sum(line["group"]["rewards"].count(None) for line in lines) == lost + 12


def test_rewards_outlive_sandbox_hosts_that_are_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, TOKEN)
    with host() as first, host() as second:
        urls = [first.url, second.url]
        with training(tmp_path, name="remote", servers=urls, patience=5.0) as session:
            assert masked(step(session)) == 0
            assert masked(step(session, first.kill)) == 0
            # Nobody left: masked, not zero.
            assert masked(step(session, second.kill)) > 0
            assert masked(step(session)) == 12
            with host(port=second.port):
                assert masked(step(session)) == 0


def test_programs_that_no_host_could_run_are_masked(tmp_path: Path) -> None:
    with training(tmp_path, name="remote", servers=["http://127.0.0.1:9"]) as session:
        groups = step(session)
        assert masked(groups) == 12
        (line, *_) = [line for line in ledger.read(tmp_path / "ledger.jsonl") if line["t"] == "group"]
        assert line["group"]["statuses"] == ["infra_error"] * 4


def test_the_recipe_can_be_planned_everywhere(tmp_path: Path) -> None:
    """Also where there is neither an engine nor root."""
    done = harness("plan", str(RECIPE), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_run_without_its_sandbox_does_not_start(tmp_path: Path) -> None:
    sets = ("verifiers.code.sandbox.name=docker", "stages.0.max_steps=2")
    words = [word for value in sets for word in ("--set", value)]
    nowhere = "unix:///nowhere/docker.sock"
    done = harness("run", str(RECIPE), "--runs", str(tmp_path), *words, cwd=tmp_path, DOCKER_HOST=nowhere)
    assert done.returncode != 0
    assert "no Docker engine answers" in done.stderr
    assert "scripts/start-docker.sh starts one" in done.stderr
    assert not [line for path in tmp_path.glob("*/main/seed-0/ledger.jsonl") for line in ledger.read(path)]
