"""Reading studies: curves, rewinds, torn lines, memory."""

import json
import shutil
import tracemalloc

import pytest
from studies import make_study

from harness import ledger
from harness.errors import LedgerError
from harness.readout import glance, read_run, read_study, recipe_of, studies
from harness.readout.lines import events


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("runs"), per_stratum=8)


def test_a_study_holds_its_runs_in_the_recipe_s_order(study):
    read = read_study(study)
    assert read.arms == ["uniform", "frozen-filter", "staged", "learnability"]
    assert read.seeds == [0, 1, 2]
    assert read.state == "finished"
    assert read.about["uniform"] == "un-staged: every stratum alike"
    assert read.heldouts == ["strata-7-12"]


def test_a_run_s_curve_follows_its_ledger(study):
    run = read_run(study / "staged" / "seed-1")
    lines = [x for x in ledger.read(run.folder / "ledger.jsonl") if x["t"] == "evaluation"]
    expected = {line["spent_rollouts"]: line["scores"]["pass_rate"] for line in lines}
    assert dict(run.curve("strata-7-12", "rollouts")) == pytest.approx(expected)
    one = run.on("strata-7-12")[-1]
    assert one.score(["9"]) == pytest.approx(one.strata["9"].passes / one.strata["9"].samples)
    assert len(run.labels) == 4
    assert run.spent.rollouts == lines[-1]["spent_rollouts"]
    assert [s.reason for s in run.stages] == ["rollouts spent"] * 4


def test_every_group_is_counted_where_it_was_drawn(study):
    run = read_run(study / "uniform" / "seed-0")
    assert len(run.drawn) == len(run.steps) == 40
    assert all(sum(drawn.values()) == 8 for drawn in run.drawn)


def test_problems_are_kept_for_the_first_and_last_evaluation_only(study):
    evaluations = read_run(study / "uniform" / "seed-0").on("strata-7-12")
    assert [bool(e.problems) for e in evaluations] == [True, *[False] * (len(evaluations) - 2), True]


def test_the_same_lines_stand_as_for_the_ledger_s_own_reader(study, tmp_path):
    """With steps that a resume replaced, and a torn last line."""
    lines = (study / "staged" / "seed-0" / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    stage2 = [i for i, line in enumerate(lines) if b'"t":"step"' in line and b'"stage-2"' in line]
    cut = stage2[5]
    rewound = b'{"t":"rewound","stage":"stage-2","step":3}\n'
    replayed = [
        x for x in lines[: cut + 1] if b'"stage-2"' in x and b'"t":"labels"' not in x and b"started" not in x
    ]
    after = [
        x
        for x in replayed
        if (json.loads(x).get("metrics") or json.loads(x).get("group") or json.loads(x)).get("step", 0) > 3
    ]
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join([*lines[: cut + 1], rewound, *after, *lines[cut + 1 :]]) + b'{"t":"ste')
    wanted = [x["t"] for x in ledger.read(path) if x["t"] not in ("sample", "rewound")]
    assert [kind for kind, _ in events(path)] == wanted
    assert read_run(tmp_path).finished_at
    steps = [(s.metrics.stage, s.metrics.step) for s in read_run(tmp_path).steps]
    assert len(steps) == len(set(steps)) == 40


def test_damage_is_named_with_its_line(study, tmp_path):
    lines = (study / "uniform" / "seed-0" / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "ledger.jsonl").write_bytes(lines[0] + b'{"t":"step", broken\n' + lines[1])
    with pytest.raises(LedgerError, match="line 2 is damaged"):
        read_run(tmp_path)


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(LedgerError, match="no run in this folder"):
        read_study(tmp_path)


def test_samples_cost_no_memory(study, tmp_path):
    source = (study / "uniform" / "seed-0" / "ledger.jsonl").read_bytes()
    sample = b'{"t":"sample","name":"before","stage":"","step":0,"rollout":{"text":"' + b"x" * 2000 + b'"}}\n'
    peaks = []
    for samples in (10, 5000):
        folder = tmp_path / str(samples)
        folder.mkdir()
        (folder / "ledger.jsonl").write_bytes(source + sample * samples)
        tracemalloc.start()
        read_run(folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2


def test_a_glance_says_how_far_a_study_is(tmp_path):
    make_study(tmp_path, arms={"uniform": (0.1, 0.1)}, seed_list=(0, 1), steps=8, per_stratum=2, name="a-1")
    make_study(
        tmp_path,
        arms={"uniform": (0.1, 0.1)},
        seed_list=(0,),
        steps=8,
        per_stratum=2,
        name="b-1",
        finish=False,
    )
    assert sorted(p.name for p in studies(tmp_path)) == ["a-1", "b-1"]
    assert glance(tmp_path / "a-1").state == "finished"
    unfinished = glance(tmp_path / "b-1")
    assert unfinished.state == "0 of 1 run finished"
    assert unfinished.doing == "uniform/seed-0: evaluation all"


def test_planned_runs_count_and_overrides_are_part_of_the_recipe(tmp_path):
    study = make_study(tmp_path, per_stratum=2, steps=8, overrides=("evaluation.heldout.0.max_tokens=99",))
    shutil.rmtree(study / "staged" / "seed-1")
    assert read_study(study).state == glance(study).state == "11 of 12 runs finished"
    assert recipe_of(study)["evaluation"]["heldout"][0]["max_tokens"] == 99
