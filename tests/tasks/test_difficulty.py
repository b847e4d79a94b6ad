"""Labels: measured in rounds, kept in a store, read from published files."""

from __future__ import annotations

import gzip
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import main
from harness.contract.errors import DataError, TrainingError
from harness.contract.protocols import Policy
from harness.contract.records import Difficulty, PolicyRef, Sampling, convert
from harness.planning.plan import make_plans
from harness.plugging.plugins import load
from harness.recipe import LabelFile
from harness.recording.ledger import read
from harness.running.labelling import refuse_nothing_selected
from harness.running.labelling import select as select_subjects
from harness.running.parts import Parts
from harness.running.position import Position
from harness.tasks.labels import load_labels
from harness.tasks.measuring import LabelStore, from_training
from harness.testing import Workbench
from tests.support.recipes import SIM, write
from tests.support.runs import harness

POLICY = PolicyRef(weights_sha="abc")


def label(subject: str, passes: int, samples: int, **changes: object) -> Difficulty:
    values: dict[str, object] = {"policy": POLICY, "verifier_hash": "v"} | changes
    return Difficulty(subject=subject, model="policy", samples=samples, passes=passes, **values)  # type: ignore[arg-type]


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_label_is_a_posterior(passes: int, fails: int) -> None:
    made = label("s", passes, passes + fails)
    assert 0 < made.mean < 1
    assert made.mean == pytest.approx((passes + 1) / (passes + fails + 2))
    more = label("s", 4 * passes, 4 * (passes + fails))
    assert passes + fails == 0 or more.sd < made.sd


def test_a_store_gives_back_only_what_was_measured_alike(tmp_path: Path) -> None:
    store = LabelStore(tmp_path / "labels")
    store.add({"a": label("a", 1, 4), "b": label("b", 0, 4)})
    store.add({"a": label("a", 3, 8)})
    again = LabelStore(tmp_path / "labels")
    assert again.load(POLICY, Sampling(), "v") == {"a": label("a", 3, 8), "b": label("b", 0, 4)}
    assert again.load(POLICY, Sampling(), "other verifier") == {}
    assert again.load(POLICY, Sampling(temperature=0.6), "v") == {}
    assert again.load(PolicyRef(weights_sha="other"), Sampling(), "v") == {}


def test_a_store_that_was_cut_mid_line_loses_that_line_alone(tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    store.add({"a": label("a", 1, 4)})
    store.add({"b": label("b", 2, 4)})
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-10])
    assert set(store.load(POLICY, Sampling(), "v")) == {"a"}
    store.add({"c": label("c", 2, 4)})
    assert set(store.load(POLICY, Sampling(), "v")) == {"a", "c"}


def test_training_outcomes_become_whole_samples_and_say_where_they_come_from() -> None:
    made = from_training({"a": (7.6, 3.4), "b": (0.4, 0.2)}, POLICY, Sampling(), "v")
    assert set(made) == {"a"}
    assert (made["a"].samples, made["a"].passes, made["a"].criterion) == (8, 3, "training")


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".parquet"])
def test_published_labels_are_read_from_each_format(tmp_path: Path, suffix: str) -> None:
    rows = [{"problem": "p1", "rate": 0.25, "ok": 1, "n": 4}, {"problem": "p2", "rate": 1.0, "ok": 4, "n": 4}]
    path = tmp_path / f"labels{suffix}"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet", reason="parquet labels need pyarrow")
        import pyarrow

        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif suffix == ".jsonl.gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    by_rate = LabelFile(path=path.name, subject="problem", pass_rate="rate", samples=4)
    by_count = LabelFile(path=path.name, subject="problem", passes="ok", samples_column="n")
    for file in (by_rate, by_count):
        labels = load_labels("7b", file, tmp_path)
        assert {s: (d.passes, d.samples, d.model) for s, d in labels.items()} == {
            "p1": (1, 4, "7b"),
            "p2": (4, 4, "7b"),
        }


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{"id": "a", "passrate": 0.5}', "line 2: has no field 'pass_rate'"),
        ('{"id": "a", "pass_rate": 1.5}', "pass_rate is 1.5"),
        ('{"id": "a", "pass_rate": "high"}', "pass_rate is 'high'"),
        ("[1, 2]", "line 2: not a JSON object"),
        ('{"id": "a", ', "line 2: not a JSON object"),
    ],
)
def test_a_row_that_does_not_fit_is_named_by_line_and_field(tmp_path: Path, row: str, words: str) -> None:
    (tmp_path / "l.jsonl").write_text('{"id": "ok", "pass_rate": 1.0}\n' + row + "\n")
    with pytest.raises(DataError) as refused:
        load_labels("7b", LabelFile(path="l.jsonl"), tmp_path)
    assert words in str(refused.value)


def write_rows(path: Path, *rows: dict[str, Any]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_published_rate_without_samples_is_kept_as_it_is(tmp_path: Path) -> None:
    write_rows(tmp_path / "l.jsonl", {"id": "s", "pass_rate": 0.37}, {"id": "t", "pass_rate": 1})
    known = load_labels("7b", LabelFile(path="l.jsonl"), tmp_path)
    assert [(d.pass_rate, d.mean, d.samples) for d in known.values()] == [(0.37, 0.37, 0), (1, 1, 0)]
    counted = load_labels("7b", LabelFile(path="l.jsonl", samples=8), tmp_path)
    assert [(d.passes, d.samples) for d in counted.values()] == [(3, 8), (8, 8)]


def test_label_files_carry_an_estimators_numbers(tmp_path: Path) -> None:
    write_rows(tmp_path / "l.jsonl", {"id": "s", "pass_rate": 0.5, "irt_b": 1.5, "extra": {"se": 0.2}})
    known = load_labels("7b", LabelFile(path="l.jsonl", extra={"b": "irt_b"}), tmp_path)
    assert known["s"].extra == {"b": 1.5, "se": 0.2}
    with pytest.raises(DataError, match=r"has no field 'irt_c'.*\n.*'irt_b'"):
        load_labels("7b", LabelFile(path="l.jsonl", extra={"c": "irt_c"}), tmp_path)
    write_rows(tmp_path / "l.jsonl", {"id": "s", "pass_rate": 0.5, "irt_b": "high"})
    with pytest.raises(DataError, match="irt_b is 'high'"):
        load_labels("7b", LabelFile(path="l.jsonl", extra={"b": "irt_b"}), tmp_path)


@pytest.mark.parametrize(
    ("rate", "samples", "passes"),
    [
        (0.39, 1, None), (0.5, 1, None), (0.05, 8, None), (0.98, 8, None), (0.001, 8, None), (0.999, 8, None),
        (0.3, 4, None), (0.39, 100, 39), (0.125, 8, 1), (0.13, 8, 1), (0.33, 3, 1), (0.667, 3, 2), (0, 1, 0),
        (1, 1, 1), (1.0, 8, 8), (0.004, 100, None),
    ],
)  # fmt: skip
def test_a_pass_rate_is_a_share_of_its_samples_or_refused(
    tmp_path: Path, rate: float, samples: int, passes: int | None
) -> None:
    (tmp_path / "l.jsonl").write_text(json.dumps({"id": "a", "pass_rate": rate}) + "\n\n")
    file = LabelFile(path="l.jsonl", samples=samples)
    if passes is None:
        with pytest.raises(DataError, match="set samples"):
            load_labels("7b", file, tmp_path)
    else:
        assert load_labels("7b", file, tmp_path)["a"].passes == passes


def test_a_second_label_of_a_subject_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l.jsonl").write_text('{"id": "a", "pass_rate": 1}\n{"id": "a", "pass_rate": 0}\n')
    with pytest.raises(DataError, match="line 2: a second label of 'a'"):
        load_labels("7b", LabelFile(path="l.jsonl", samples=1), tmp_path)


def test_a_missing_label_file_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "labels-7b.jsonl").write_text("")
    with pytest.raises(DataError, match=r"did you mean 'labels-7b\.jsonl'"):
        load_labels("7b", LabelFile(path="labels7b.jsonl"), tmp_path)


def test_a_measurement_that_the_budget_cuts_short_is_a_sample_of_the_subjects(tmp_path: Path) -> None:
    from contextlib import ExitStack

    from harness.contract.protocols import Policy
    from harness.planning.plan import make_plans
    from harness.plugging.plugins import load
    from harness.recipe import load_recipe
    from harness.running.labelling import label
    from harness.running.parts import Parts
    from harness.running.position import Position
    from tests.support.recipes import SIM, write

    (plan,) = make_plans(load_recipe(write(tmp_path, SIM), ["budget.rollouts=80"]), load())
    with ExitStack() as stack:
        parts = Parts(plan, tmp_path / "run", stack)
        at = Position(Policy(PolicyRef(weights_sha=parts.files.weights_sha), parts.files))
        label(parts, plan.recipe.stages[0], at)
        assert parts.spent.rollouts <= 80
        measured = [parts.pool.subjects.index(subject) for subject in at.labels]
        assert 10 <= len(measured) <= 20
        assert max(measured) >= 20, "only the first subjects, which are the easy ones, were measured"


@pytest.mark.parametrize(
    ("difficulty", "select", "words"),
    [
        ({}, "p > 2", "none of 100 subjects; 3 of them are measured, with pass rates from 0.00 to 1.00"),
        ({}, "stratum == 'x'", "none of 100 subjects\n"),
        (
            {"labels": {"7b": {"path": "7b.jsonl", "samples": 4}}},
            'p["7b"] > p + 2',
            "none of 100 subjects; 1 of them is labelled by '7b', with pass rates from 0.50 to 0.50 and a "
            "median of 0.50; 3 of them are measured, with",
        ),
        (
            {"discard": "p == 0"},
            "p > 2",
            "none of 99 subjects; 2 of them are measured, with pass rates from 0.25",
        ),
        ({"discard": "chance(1)"}, "p > 2", "'chance(1)' (difficulty.discard) drops all of 100 subjects\n"),
    ],
)
def test_rules_that_leave_nothing_say_how_much_is_known(
    tmp_path: Path, difficulty: dict[str, Any], select: str, words: str
) -> None:
    """A subject without a label never matches, so that the labels are what to count."""
    (tmp_path / "7b.jsonl").write_text(
        '{"id": "sim-irt/train/0/item-00", "pass_rate": 0.5}\n{"id": "other", "pass_rate": 1}\n'
    )
    recipe = {
        "name": "nothing",
        "model": {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"},
        "tasks": {"train": [{"name": "sim-irt", "form": "tasks", "count": 100}]},
        "difficulty": difficulty,
        "trainer": {"name": "sim"},
        "stages": [{"name": "train", "select": select, "max_steps": 1}],
    }
    (plan,) = make_plans(Workbench(tmp_path, load()).file(recipe), load())
    with ExitStack() as stack:
        parts = Parts(plan, tmp_path / "run", stack)
        at = Position(Policy(PolicyRef(weights_sha=parts.files.weights_sha), parts.files))
        some = parts.pool.subjects[:3]
        at.labels = {s: label(s, passes, 4) for s, passes in zip(some, (0, 1, 4), strict=True)}
        (stage,) = plan.recipe.stages
        assert select_subjects(parts, stage, at) == []
        with pytest.raises(TrainingError) as refused:
            refuse_nothing_selected(parts, stage, at)
    assert words in str(refused.value)


def test_the_estimators_state_survives_from_measurement_to_measurement_and_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import ExitStack

    from harness_difficulty.pass_rate import PassRate

    from harness.contract.protocols import Policy
    from harness.planning.plan import make_plans
    from harness.recipe import load_recipe
    from harness.running.labelling import label
    from harness.running.parts import Parts
    from harness.running.position import Position

    counts: list[int] = []

    class Counting(PassRate):
        rounds = 0

        def requests(self, *args: Any) -> Any:
            self.rounds += 1
            counts.append(self.rounds)
            return super().requests(*args)

        def state_dict(self) -> dict[str, Any]:
            return {"rounds": self.rounds}

        def load_state_dict(self, state: Any) -> None:
            self.rounds = state["rounds"]

    monkeypatch.setattr("harness_difficulty.pass_rate.PassRate", Counting)
    (plan,) = make_plans(load_recipe(write(tmp_path, SIM)), load())
    first, second = (
        plan.recipe.stages[0].model_copy(update={"name": name, "reestimate": True}) for name in ("a", "b")
    )

    def measure_again(stage: Any, at: Position | None) -> Position:
        with ExitStack() as stack:
            parts = Parts(plan, tmp_path / "run", stack)
            at = at or Position(Policy(PolicyRef(weights_sha=parts.files.weights_sha), parts.files))
            label(parts, stage, at)
        return at

    measured_once = measure_again(first, None)
    rounds = counts[-1]
    resumed = measure_again(first, None)
    assert counts[-1] == rounds, "what the ledger holds was measured again"
    assert resumed.estimator == measured_once.estimator == {"rounds": rounds}
    measure_again(second, resumed)
    assert counts == list(range(1, len(counts) + 1))
    assert len(counts) > rounds

    ledger = tmp_path / "run" / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    last_round = max(i for i, line in enumerate(lines) if b'"t":"measurement"' in line)
    ledger.write_bytes(b"".join(lines[: last_round + 1]))
    ended = len(counts)
    measure_again(second, measure_again(first, None))
    assert counts[ended:] == [counts[ended - 1]], "a killed measurement goes on with the estimator's state"


STORE = ("--set", "difficulty.store=labels", "--set", "difficulty.reuse=0.0", "--set", "stages.0.repeat=1")


def measured(cwd: Path, number: int, *overrides: str) -> dict[str, Difficulty]:
    done = harness("run", "recipe.toml", *STORE, *(p for o in overrides for p in ("--set", o)), cwd=cwd)
    assert done.returncode == 0, done.stderr
    lines = read(cwd / "runs" / f"small-sim-{number}" / "main" / "seed-0" / "ledger.jsonl")
    first = next(line for line in lines if line["t"] == "labels")
    return {d.subject: d for d in convert(first["labels"], list[Difficulty])}


def test_stored_labels_are_extended_by_new_samples_and_only_for_the_same_tasks(tmp_path: Path) -> None:
    write(tmp_path, SIM)
    every = 'difficulty.estimator={name="pass-rate", tasks=%d, samples=2, sequential=false}'
    before = measured(tmp_path, 1, every % 8)
    after = measured(tmp_path, 2, every % 16)
    assert {d.samples for d in after.values()} == {32}
    doubled = [s for s, d in after.items() if d.passes == 2 * before[s].passes]
    mixed = [s for s, d in before.items() if 0 < d.passes < 16]
    assert set(mixed) - set(doubled), "the same rollouts were counted twice"
    hard = 'tasks.train=[{name="sim-irt", low=60.0, high=90.0}, {name="sim-irt", count=2, prefix="x"}]'
    other = measured(tmp_path, 3, every % 8, hard)
    common = set(other) & set(before)
    assert common
    assert not any(other[s].passes for s in common), "another item's labels were taken"


def test_labels_of_one_run_serve_the_rules_of_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pool = [{"name": "sim-irt", "form": "tasks", "count": 24}]
    recipe: dict[str, Any] = {
        "name": "labels",
        "model": {"name": "student", "loader": {"name": "sim"}, "prompt": "raw"},
        "tasks": {"train": pool},
        "difficulty": {"estimator": {"name": "pass-rate", "samples": 8, "sequential": False}},
        "trainer": {"name": "sim"},
        "stages": [{"name": "measure", "kind": "label"}],
    }
    bench = Workbench(tmp_path, load())
    measured = bench.run(recipe, "small")
    assert main(["show", str(measured.folder), "--labels"]) == 0
    (tmp_path / "small.jsonl").write_text(capsys.readouterr().out)

    (line,) = measured.lines("labels")
    assert main(["show", str(measured.folder)]) == 0
    assert f"spent {line['rollouts']} rollouts" in capsys.readouterr().out, "what measuring cost is told"
    expected = [v["subject"] for v in line["labels"] if 0 < v["passes"] < v["samples"]]
    recipe["difficulty"]["labels"] = {
        "small": {"path": "small.jsonl", "passes": "passes", "samples_column": "samples"}
    }
    recipe["stages"] = [{"name": "train", "select": '0 < p["small"] < 1', "max_steps": 1}]
    (started,) = bench.run(recipe, "large").lines("stage_started")
    assert started["subjects"] == expected != []


PREDICTS = """
from dataclasses import replace
from harness import hookimpl
from harness.contract.records import Difficulty

class Predicts:
    "Asks for the first two subjects and expects of the others what it saw and what the 7b did."

    def __init__(self, options, context):
        self.labels = context.labels

    def requests(self, outcomes, subjects):
        return {s: 4 for s in list(subjects)[:2] if s not in outcomes}

    def split(self, count, *, endless):
        return [count]

    def fit(self, outcomes):
        seen = next(iter(outcomes.values()))
        rate = sum(d.passes for d in outcomes.values()) / sum(d.samples for d in outcomes.values())
        known = {s: replace(d, extra={"theta": 1.5}) for s, d in outcomes.items()}
        nobody = replace(seen, samples=0, passes=0)
        expected = {
            s: replace(nobody, subject=s, predicted=(rate + d.pass_rate) / 2, extra={"b": d.extra["b"]})
            for s, d in self.labels.get("7b", {}).items() if s not in outcomes
        }
        return {**known, **expected}

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass

class Counts(Predicts):
    def fit(self, outcomes):
        return {s: replace(d, samples=d.samples + 2) for s, d in outcomes.items()}

@hookimpl
def register_difficulty_estimators(register):
    register("predicts", "harness_plugin:Predicts")
    register("counts", "harness_plugin:Counts")
"""

ITEMS = 'tasks.train=[{name="sim-irt", form="tasks", count=12}]'


def predicted(tmp_path: Path, estimator: str, number: int) -> dict[str, Any]:
    """A run whose estimator predicts; its line `labels`."""
    overrides = (
        ITEMS,
        f"difficulty.estimator=local/{estimator}",
        'difficulty.labels={7b = {path = "7b.jsonl", extra = {b = "irt_b"}}}',
        "stages.0.select=b > 0 and n == 0",
        "stages.0.gates=[]",
        "budget.rollouts=128",
    )
    done = harness("run", "recipe.toml", *STORE, *(p for o in overrides for p in ("--set", o)), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = read(tmp_path / "runs" / f"small-sim-{number}" / "main" / "seed-0" / "ledger.jsonl")
    kept = {line["t"]: line for line in lines if line["t"] in ("labels", "stage_started")}
    return kept["labels"] | {"selected": kept["stage_started"]["subjects"]}


def test_predictions_select_subjects_that_nobody_ran_and_are_never_stored(tmp_path: Path) -> None:
    write(tmp_path, SIM)
    (tmp_path / "harness_plugin.py").write_text(PREDICTS)
    pool = load().registry.find("task_sources", "sim-irt").build({"form": "tasks", "count": 12}, None)  # type: ignore[arg-type]
    subjects = list(pool.subjects())
    write_rows(
        tmp_path / "7b.jsonl",
        *({"id": s, "pass_rate": 0.25, "irt_b": i - 6.0} for i, s in enumerate(subjects)),
    )
    first, second = predicted(tmp_path, "predicts", 1), predicted(tmp_path, "predicts", 2)
    assert (first["rollouts"], second["rollouts"]) == (8, 0), "what was counted is kept, and nothing else"
    assert first["labels"] == second["labels"]
    assert {v["subject"] for v in first["labels"] if v["samples"]} == set(subjects[:2])
    assert first["selected"] == subjects[7:]
    (store,) = (tmp_path / "labels").iterdir()
    assert [json.loads(line)["subject"] for line in store.read_text().splitlines()[:2]] == subjects[:2]
    assert not any(json.loads(line).get("predicted") for line in store.read_text().splitlines())


def test_an_estimator_that_counts_what_nobody_sampled_is_named(tmp_path: Path) -> None:
    write(tmp_path, SIM)
    (tmp_path / "harness_plugin.py").write_text(PREDICTS)
    done = harness(
        "run", "recipe.toml", "--set", ITEMS, "--set", "difficulty.estimator=local/counts", cwd=tmp_path
    )
    assert done.returncode != 0
    assert "estimator Counts, fit: the label of" in done.stderr
    assert "say what is expected of a subject in `predicted`" in done.stderr


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("l.jsonl.gz", b"no gzip"),
        ("l.jsonl.gz", gzip.compress(b'{"id": "a"}' * 99, mtime=0)[:30]),
        ("l.parquet", b"no parquet"),
        ("l.jsonl", b"[" * 3000),
    ],
    ids=["no gzip", "half a gzip", "no parquet", "nested"],
)
def test_a_damaged_label_file_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=name):
        load_labels("m", LabelFile(path=name), tmp_path)


def test_numbers_that_no_label_holds_are_refused(tmp_path: Path) -> None:
    row = {"id": "a", "passes": 10**400, "samples": 10**400}
    (tmp_path / "l.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match="passes is 1000"):
        load_labels("m", LabelFile(path="l.jsonl", passes="passes", samples_column="samples"), tmp_path)
    row = {"id": "a", "pass_rate": 0.5, "extra": {"b": 10**400}}
    (tmp_path / "l.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match="b is 1000"):
        load_labels("m", LabelFile(path="l.jsonl"), tmp_path)
