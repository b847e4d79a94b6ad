"""Labels: measured in rounds, kept in a store, read from published files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli import main
from harness.difficulty import LabelStore, from_training
from harness.errors import DataError
from harness.labels import load_labels
from harness.ledger import read
from harness.plugins import load
from harness.recipe import LabelFile
from harness.records import Difficulty, PolicyRef, Sampling, convert
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
    (tmp_path / "l.jsonl").write_text('{"id": "ok", "pass_rate": 0.5}\n' + row + "\n")
    with pytest.raises(DataError) as refused:
        load_labels("7b", LabelFile(path="l.jsonl"), tmp_path)
    assert words in str(refused.value)


def test_a_missing_label_file_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "labels-7b.jsonl").write_text("")
    with pytest.raises(DataError, match=r"did you mean 'labels-7b\.jsonl'"):
        load_labels("7b", LabelFile(path="labels7b.jsonl"), tmp_path)


def test_a_measurement_that_the_budget_cuts_short_is_a_sample_of_the_subjects(tmp_path: Path) -> None:
    from contextlib import ExitStack

    from harness.labelling import label
    from harness.parts import Parts
    from harness.plan import make_plans
    from harness.plugins import load
    from harness.position import Position
    from harness.protocols import Policy
    from harness.recipe import load_recipe
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


def test_the_estimators_state_survives_from_measurement_to_measurement_and_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from contextlib import ExitStack

    from harness_difficulty.pass_rate import PassRate

    from harness.labelling import label
    from harness.parts import Parts
    from harness.plan import make_plans
    from harness.position import Position
    from harness.protocols import Policy
    from harness.recipe import load_recipe

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
    expected = [v["subject"] for v in line["labels"] if 0 < v["passes"] < v["samples"]]
    recipe["difficulty"]["labels"] = {
        "small": {"path": "small.jsonl", "passes": "passes", "samples_column": "samples"}
    }
    recipe["stages"] = [{"name": "train", "select": '0 < p["small"] < 1', "max_steps": 1}]
    (started,) = bench.run(recipe, "large").lines("stage_started")
    assert started["subjects"] == expected != []
