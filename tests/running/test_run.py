"""`harness run` as a user meets it: studies, resuming, refusals, what never leaks."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.planning.plan import make_plans
from harness.plugging.plugins import load
from harness.recipe import load_recipe
from harness.recording import ledger
from harness.running.parts import Parts
from tests.support.recipes import SIM, TORCH, write
from tests.support.runs import first_difference, harness, interrupts, make_study, numbers, start_arm
from tests.support.waiting import until

ARMS = """
[[arms]]
name = "measured"
[[arms]]
name = "uniform"
[[arms.set.stages]]
name = "all"
curriculum = "uniform"
rollout = { n = 4, batch = 16 }
optimizer = { lr = 3e-4 }
"""


def test_every_arm_and_seed_is_a_run_of_its_own_within_its_budget(tmp_path: Path) -> None:
    write(tmp_path, SIM + ARMS)
    done = harness("run", "recipe.toml", "--set", "seeds=[3, 4]", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    study = tmp_path / "runs" / "small-sim-1"
    folders = sorted(str(p.parent.relative_to(study)) for p in study.glob("*/*/ledger.jsonl"))
    assert folders == ["measured/seed-3", "measured/seed-4", "uniform/seed-3", "uniform/seed-4"]
    for folder in folders:
        lines = list(ledger.read(study / folder / "ledger.jsonl"))
        last = lines[-1]
        assert last["t"] == "finished"
        assert last["spent_rollouts"] <= 6000
        assert last["spent_rollouts"] > 5900
        assert next(line["name"] for line in lines if line["t"] == "evaluation") == "before"
    assert "measured, seed 3: stage s-1 starts on" in done.stdout


def test_a_repeated_run_draws_the_same_numbers_in_another_folder(tmp_path: Path) -> None:
    path = write(tmp_path, SIM)
    runs = []
    for _ in range(2):
        study = make_study(path, tmp_path / "runs").folder
        assert start_arm(study).wait(timeout=120) == 0
        runs.append(numbers(study / "main" / "seed-0"))
    assert first_difference(*runs) is None


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, SIM)
    study = make_study(path, tmp_path / "runs").folder
    assert start_arm(study).wait(timeout=120) == 0
    file = study / "main" / "seed-0" / "ledger.jsonl"
    before = file.read_bytes()
    done = harness("run", "--resume", str(study), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("lr = 3e-4", "lr = 1e-4", "recipe.stages.0.optimizer.lr: was 0.0003, is 0.0001"),
        ('{ name = "sim-irt" }', '{ name = "sim-irt", count = 30 }', "data_sha: was"),
    ],
)
def test_a_resume_onto_another_recipe_or_other_data_is_refused_with_the_difference(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    path = write(tmp_path, SIM)
    study = make_study(path, tmp_path / "runs").folder
    process = start_arm(study)
    file = study / "main" / "seed-0" / "ledger.jsonl"
    while not file.exists() or file.stat().st_size < 40_000:
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()
    before = file.read_bytes()
    path.write_text(SIM.replace(old, new))
    done = harness("run", "--resume", str(study), cwd=tmp_path)
    assert done.returncode == 1
    assert words in done.stderr
    assert f"put it back as it was (the recipe: {study / 'recipe.toml'})" in done.stderr
    assert f"a changed recipe is a new run (as it was: {study / 'recipe.toml'})" in done.stderr
    assert ledger.cut_torn_line(file) >= 0
    assert file.read_bytes() == before[: before.rfind(b"\n") + 1]


def test_a_resume_without_the_recipe_names_the_study_s_copy(tmp_path: Path) -> None:
    path = write(tmp_path, SIM)
    study = make_study(path, tmp_path / "runs")
    facts = study.folder / "study.json"
    was = facts.read_text()
    facts.write_text(was.replace('"main"', '"mein"'))
    done = harness("run", "--resume", "runs/small-sim-1", cwd=tmp_path)
    assert "no arm 'mein'" in done.stderr
    assert "as it was" not in done.stderr, "the recipe is unchanged"
    facts.write_text(was)
    for change in (lambda: path.write_text(SIM.replace("[model]", "[modell]")), path.unlink):
        change()
        done = harness("run", "--resume", "runs/small-sim-1", cwd=tmp_path)
        assert done.returncode == 2
        assert f"next: the recipe as it was: cp runs/small-sim-1/recipe.toml {path}" in done.stderr


def test_when_the_parent_is_killed_its_runs_end_too(tmp_path: Path) -> None:
    write(tmp_path, SIM.replace("rollouts = 6000", "rollouts = 6000000"))
    parent = subprocess.Popen(
        [sys.executable, "-m", "harness", "run", "recipe.toml"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    file = tmp_path / "runs" / "small-sim-1" / "main" / "seed-0" / "ledger.jsonl"
    while not file.exists() or file.stat().st_size < 40_000:
        assert parent.poll() is None
        time.sleep(0.01)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: is_free(file), what="the child is gone, too")


def is_free(file: Path) -> bool:
    """Whether no process writes this ledger."""
    try:
        with ledger.Ledger(file):
            return True
    except ledger.LedgerError:
        return False


def start_long_run(folder: Path, interrupted: Any) -> tuple[subprocess.Popen[str], Path]:
    """A run that would go on for hours, with SIGINT as given, and its ledger, which is there."""
    write(folder, SIM.replace("rollouts = 6000", "rollouts = 6000000"))
    with interrupts(interrupted):
        process = subprocess.Popen(
            [sys.executable, "-m", "harness", "run", "recipe.toml", "--runs", "my runs"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
    file = folder / "my runs" / "small-sim-1" / "main" / "seed-0" / "ledger.jsonl"
    while not file.exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process, file


def test_who_interrupts_a_run_is_told_how_to_go_on(tmp_path: Path) -> None:
    process, _ = start_long_run(tmp_path, signal.SIG_DFL)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.strip().splitlines() == ["interrupted", "  next: harness run --resume 'my runs/small-sim-1'"]


def test_a_run_in_a_scripts_background_is_not_interrupted_but_ended(tmp_path: Path) -> None:
    """Shells let such jobs ignore SIGINT, which is meant for what stands in front; SIGTERM ends them."""
    process, file = start_long_run(tmp_path, signal.SIG_IGN)
    process.send_signal(signal.SIGINT)
    size = file.stat().st_size
    until(lambda: file.stat().st_size > size, what="the run goes on")
    assert process.poll() is None
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    until(lambda: is_free(file), what="its child is gone, too")


def test_one_arm_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    text = SIM + ARMS + '\n[[arms]]\nname = "nothing"\n[[arms.set.stages]]\nname = "none"\nselect = "p > 2"\n'
    write(tmp_path, text)
    done = harness("run", "recipe.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing, seed 0 failed" in done.stderr
    assert (
        "the rule 'p > 2' selects none of 40 subjects; all of them are measured, with pass rates"
        in done.stderr
    )
    assert "harness run --resume" in done.stderr
    for arm in ("measured", "uniform"):
        lines = list(ledger.read(tmp_path / "runs" / "small-sim-1" / arm / "seed-0" / "ledger.jsonl"))
        assert lines[-1]["t"] == "finished"


def test_secrets_of_the_environment_are_in_no_file_of_a_run(tmp_path: Path) -> None:
    write(tmp_path, SIM)
    # A plugin that gives a secret away wherever it can.
    (tmp_path / "harness_plugin.py").write_text(
        "import os, harness\n\n@harness.hookimpl\ndef run_started(run):\n"
        "    print('token', os.environ['HF_TOKEN'])\n"
        "    raise RuntimeError(os.environ['OPENAI_API_KEY'])\n"
    )
    secret = "hf_abcdefghijklmnop"
    done = harness("run", "recipe.toml", cwd=tmp_path, HF_TOKEN=secret, OPENAI_API_KEY=secret[::-1])
    assert done.returncode == 0, done.stderr
    assert secret not in done.stdout + done.stderr
    run = tmp_path / "runs" / "small-sim-1" / "main" / "seed-0"
    assert "token ***" in (run / "log.txt").read_text()
    assert "RuntimeError: ***" in (run / "ledger.jsonl").read_text()
    for path in (tmp_path / "runs").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert secret.encode() not in data, path
            assert secret[::-1].encode() not in data, path


def test_checkpoints_are_kept_by_the_rule_and_the_last_of_each_stage_stays(tmp_path: Path) -> None:
    path = write(tmp_path, SIM.replace("every_steps = 4", "every_steps = 1\nkeep = 2"))
    study = make_study(path, tmp_path / "runs").folder
    assert start_arm(study).wait(timeout=120) == 0
    run = study / "main" / "seed-0"
    kept: dict[str, list[str]] = {}
    for folder in sorted((run / "checkpoints").iterdir()):
        kept.setdefault(folder.name.rpartition("-")[0], []).append(folder.name)
    ends = {
        line["stage"]: line["checkpoint"]["path"]
        for line in ledger.read(run / "ledger.jsonl")
        if line["t"] == "stage_finished"
    }
    assert set(kept) == set(ends)
    assert all(len(names) <= 2 for names in kept.values())
    assert all(Path(path).name in kept[stage] for stage, path in ends.items())


def test_too_little_disk_is_refused_before_anything_runs(tmp_path: Path) -> None:
    write(tmp_path, SIM.replace("min_free_gb = 0.0", "min_free_gb = 1e9"))
    done = harness("run", "recipe.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "GB are free" in done.stderr


def test_the_study_says_what_was_asked(tmp_path: Path) -> None:
    write(tmp_path, SIM)
    harness("run", "recipe.toml", "--set", "budget.rollouts=700", cwd=tmp_path)
    study = tmp_path / "runs" / "small-sim-1"
    values = json.loads((study / "study.json").read_text())
    assert values["overrides"] == ["budget.rollouts=700"]
    assert (study / "recipe.toml").read_text() == SIM
    assert os.listdir(study / "main") == ["seed-0"]


EXHAUSTED = (
    'tasks.train=[{name="sim-irt", count=2, low=-1.0, high=0.5}]',
    'stages=[{name="gated", gates=[{name="mixed-outcomes", max_refills=3}], max_steps=400, '
    'rollout={n=4, batch=2}, optimizer={lr=3e-3}}, {name="next", max_steps=2, rollout={n=4, batch=2}}]',
    "checkpoints.every_steps=1",
)


def test_rollouts_of_a_step_without_a_kept_group_are_paid_for(tmp_path: Path) -> None:
    write(tmp_path, SIM)
    done = harness("run", "recipe.toml", *(p for o in EXHAUSTED for p in ("--set", o)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = list(ledger.read(tmp_path / "runs/small-sim-1/main/seed-0/ledger.jsonl"))
    ended = next(line for line in lines if line["t"] == "stage_finished")
    assert "nothing left to learn" in ended["reason"]
    spent = sum(len(line["group"]["statuses"]) for line in lines if line["t"] == "group")
    assert lines[-1]["spent_rollouts"] == spent
    started = lines.index(next(x for x in lines if x["t"] == "stage_started" and x["stage"] == "next"))
    tasks = [
        [x["group"]["task"] for x in part if x["t"] == "group"] for part in (lines[:started], lines[started:])
    ]
    assert not set(tasks[0]) & set(tasks[1]), "an endless source gave a task again"


def test_groups_of_a_first_step_that_was_killed_are_replaced(tmp_path: Path) -> None:
    study = make_study(write(tmp_path, SIM), tmp_path / "runs").folder
    file = study / "main" / "seed-0" / "ledger.jsonl"
    assert start_arm(study).wait(timeout=120) == 0
    whole = file.read_bytes().splitlines(keepends=True)
    first = next(i for i, line in enumerate(whole) if line.startswith(b'{"t":"step"'))
    file.write_bytes(b"".join(whole[:first]))
    shutil.rmtree(file.parent / "checkpoints")
    assert start_arm(study).wait(timeout=120) == 0
    expected = [x for x in map(json.loads, whole) if x["t"] == "group"]
    assert [x for x in ledger.read(file) if x["t"] == "group"] == expected


def test_a_resume_onto_other_held_out_tasks_is_refused(tmp_path: Path) -> None:
    rows = [{"id": str(i), "problem": f"half of {2 * i}? ", "answer": str(i)} for i in range(4)]
    data = tmp_path / "held.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    held = '[{name="h", tasks=[{name="jsonl", path="held.jsonl"}], max_tokens=4}]'
    study = tmp_path / "runs" / "small-torch-1"
    write(tmp_path, TORCH)
    command = ("--set", f"evaluation.heldout={held}", "--set", "stages.0.max_steps=1")
    done = harness("run", "recipe.toml", *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    data.write_text(data.read_text().replace("half of 6", "half of 06"))
    done = harness("run", "--resume", str(study), cwd=tmp_path)
    assert done.returncode == 1
    assert "heldout_sha.h: was" in done.stderr


def test_a_recipe_without_a_held_out_set_ends_well_and_shows_its_costs(tmp_path: Path) -> None:
    write(tmp_path, SIM.replace("reporters = []", 'leaderboards = "boards"'))
    done = harness("run", "recipe.toml", "--set", "evaluation.heldout=[]", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stdout.splitlines() if "no held-out set" in line]
    assert told == ["There was no held-out set to evaluate, so there is no page and no leaderboard entry."]
    assert not (tmp_path / "boards").exists()
    shown = harness("show", "runs/small-sim-1", cwd=tmp_path).stdout
    assert "no held-out set was evaluated" in shown
    (row,) = [line for line in shown.splitlines() if line.startswith("main")]
    assert "s-1, s-2" in row
    assert "rollouts" in shown


def test_the_ledger_has_one_writer(tmp_path: Path) -> None:
    path = write(tmp_path, SIM)
    (plan,) = make_plans(load_recipe(path), load())
    with ExitStack() as stack:
        Parts(plan, tmp_path / "run", stack)
        with pytest.raises(ledger.LedgerError, match="another process is writing this run"):
            Parts(plan, tmp_path / "run", stack)
