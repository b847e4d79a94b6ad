"""Reading studies: curves, rewinds, torn lines, memory."""

import json
import shutil
import tracemalloc
from pathlib import Path

import pytest

from harness.contract.errors import LedgerError
from harness.readout import glance, read_run, read_study, recipe_of, run_of, studies
from harness.readout.lines import event, events
from harness.recording import ledger
from harness.recording.spending import Spent
from tests.support.studies import make_study


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


@pytest.mark.parametrize("last", ["measurement", "labels", "finished"])
def test_what_a_run_spent_on_measuring_alone_is_its_cost(tmp_path, last):
    """A measurement that goes on, one that is complete, and a run that had nothing else to do."""
    spent = {"spent_rollouts": 40, "spent_tokens": 700, "spent_cpu_seconds": 1.5}
    lines = [{"t": "opened", "schema": 2}, {"t": last, **spent}]
    if last == "measurement":
        lines[-1] |= {"stage": "measure", "round": 2, "outcomes": [], "pool": {}}
    elif last == "labels":
        lines[-1] |= {"stage": "measure", "labels": []}
    (tmp_path / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_run(tmp_path).spent == Spent(40, 700, 1.5)


def test_every_sample_is_counted_where_it_was_drawn(study):
    run = read_run(study / "uniform" / "seed-0")
    assert len(run.drawn) == len(run.steps) == 40
    assert all(sum(drawn.values()) == 8 * 8 for drawn in run.drawn)


METRICS = {
    "stage": "s", "rollouts": 8, "tokens": 8, "reward_mean": 0.5, "reward_sd": 0.5, "pass_rate": 0.5,
    "zero_variance_groups": 0.0, "truncated": 0.0,
}  # fmt: skip


def test_an_extended_group_s_samples_count_once_and_replayed_ones_not_again():
    """A pilot of 4, the same with 4 more, another pilot; a step later samples of the first are replayed."""
    pilot = {"task": "a", "subject": "s", "statuses": ["pass"] * 4}
    other = {"task": "b", "subject": "t", "statuses": ["fail"] * 4}
    groups = [
        [pilot, other, pilot | {"known": 4, "statuses": ["pass"] * 8}],
        [other, pilot | {"replayed": [True] * 4}, pilot | {"subject": "u", "replayed": [True, False] * 2}],
    ]
    lines = []
    for step, of_step in enumerate(groups, 1):
        lines += [{"t": "group", "stage": "s", "group": {**group, "step": step}} for group in of_step]
        lines.append({"t": "step", "metrics": METRICS | {"step": step}})
    run = run_of(((x["t"], event(x["t"], json.dumps(x).encode())) for x in lines), Path("run"))
    assert run.drawn == [{"s": 8, "t": 4}, {"t": 4, "u": 2}]


def test_problems_are_kept_for_the_first_and_last_evaluation_only(study):
    evaluations = read_run(study / "uniform" / "seed-0").on("strata-7-12")
    assert [bool(e.problems) for e in evaluations] == [True, *[False] * (len(evaluations) - 2), True]


def lost(ledger_file, name, *, mended=False):
    """Let an evaluation lose a sample; `mended` appends it as a resumed run writes it again, complete."""
    lines = [json.loads(line) for line in ledger_file.read_text().splitlines()]
    at = next(i for i, line in enumerate(lines) if line.get("name") == name)
    again = json.dumps(lines[at])
    lines[at] |= {"scores": {}, "refused": "1 of 192 samples could not be judged"}
    texts = [json.dumps(line) for line in lines] + [again] * mended
    ledger_file.write_text("".join(f"{text}\n" for text in texts))


@pytest.mark.parametrize("name", ["before", "inside", "after-stage"])
def test_an_evaluation_without_a_score_says_why_and_is_no_point_of_a_curve(tmp_path, name):
    study = make_study(tmp_path, per_stratum=2, steps=8, seed_list=(0,))
    folder = study / "uniform" / "seed-0"
    whole = read_run(folder)
    lost(folder / "ledger.jsonl", name)
    run = read_run(folder)
    (refused,) = [e for e in run.evaluations if not e.judged]
    assert refused.name == name
    assert refused.no_score == "no score: 1 of 192 samples could not be judged"
    assert refused.score(["7"]) != refused.score(["7"]), "nor is there one of a stratum"
    points = run.curve("strata-7-12", "rollouts")
    # The last stage's policy is evaluated again at the end, at the same cost.
    kept = [p for p in whole.curve("strata-7-12", "rollouts") if p in points]
    assert points == kept
    assert len(whole.curve("strata-7-12", "rollouts")) - len(points) == (name != "after-stage")


def test_an_evaluation_that_a_resume_made_good_stands_where_it_was(tmp_path):
    study = make_study(tmp_path, per_stratum=2, steps=8, seed_list=(0,))
    folder = study / "uniform" / "seed-0"
    whole = read_run(folder)
    lost(folder / "ledger.jsonl", "before", mended=True)
    assert read_run(folder).evaluations == whole.evaluations


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
    """Beyond those of a block of the outline."""
    source = (study / "uniform" / "seed-0" / "ledger.jsonl").read_bytes()
    sample = b'{"t":"sample","name":"before","stage":"","step":0,"rollout":{"text":"' + b"x" * 2000 + b'"}}\n'
    peaks = []
    for samples in (5000, 20000):
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
