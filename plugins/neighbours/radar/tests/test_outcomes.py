"""From ledgers, label files and tables to a scale, and what a text says of an item that nobody ran."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from harness.contract import (
    DataError,
    PolicyRef,
    Rollout,
    RolloutKey,
    Sampling,
    Verdict,
    builtins,
)

from harness_radar.commands import command
from harness_radar.features import features, fit_predictor
from harness_radar.scale import read_scale
from harness_radar.sources import from_label_file, from_ledger, from_table
from harness_radar.twopl import Items


def verdict(status, score):
    return builtins(Verdict(status=status, score=score, verifier="exact", verifier_hash="0"))


def sample(task, number, status, score, tokens=7):
    rollout = Rollout(
        key=RolloutKey("r", "eval", "b", 0, task, number), prompt_ids=(), completion_ids=(), text="x",
        finish="stop", policy=PolicyRef(weights_sha="0"), sampling=Sampling(), completion_tokens=tokens,
    )  # fmt: skip
    return {"t": "sample", "heldout": "b", "rollout": builtins(rollout), "verdict": verdict(status, score)}


def ledger(folder: Path, *lines) -> Path:
    """An evaluation's folder with these lines."""
    path = folder / "main" / "seed-0" / "ledger.jsonl"
    path.parent.mkdir(parents=True)
    opened = {"t": "opened", "schema": 2}
    path.write_text("".join(json.dumps(line) + "\n" for line in [opened, *lines]))
    return folder


def test_a_ledger_gives_judged_samples_and_their_tokens(tmp_path):
    place = ledger(
        tmp_path / "run", sample("x", 0, "pass", 1.0), sample("x", 1, "fail", 0.0),
        sample("y", 0, "partial", 0.5), sample("y", 1, "infra_error", None),
    )  # fmt: skip
    cells = from_ledger(place)
    assert {name: (c.samples, c.passes, c.tokens) for name, c in cells.items()} == {
        "x": (2, 1.0, 14),
        "y": (1, 0.5, 7),
    }
    with pytest.raises(DataError, match="no judged sample of 'other'"):
        from_ledger(place, "other")


def test_the_last_judgement_of_a_sample_counts(tmp_path):
    later = {
        "t": "verdict", "scoring": 1, "heldout": "b", "task": "x", "sample": 0, "finish": "stop", "tokens": 7,
        "verdict": verdict("pass", 1.0),
    }  # fmt: skip
    place = ledger(tmp_path / "run", sample("x", 0, "fail", 0.0), later)
    assert from_ledger(place)["x"].passes == 1.0


def test_a_folder_of_several_runs_is_refused(tmp_path):
    ledger(tmp_path / "one", sample("x", 0, "pass", 1.0))
    ledger(tmp_path / "two", sample("x", 0, "pass", 1.0))
    with pytest.raises(DataError, match="2 ledgers"):
        from_ledger(tmp_path)


def test_tables_and_labels_that_do_not_fit_are_refused_by_line(tmp_path):
    table = tmp_path / "table.jsonl"
    table.write_text('{"configuration": "c", "item": "i", "passes": 1}\n{"item": "i"}\n')
    with pytest.raises(DataError, match="line 2"):
        from_table(table)
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"subject": "s", "samples": 0, "passes": 0, "predicted": 0.5}\n')
    with pytest.raises(DataError, match="no label counts a sample"):
        from_label_file(labels)


def test_the_command_fits_a_scale_to_three_kinds_of_outcomes(tmp_path):
    rng = np.random.default_rng(0)
    items = [f"i{i}" for i in range(20)]
    hard = np.linspace(-2, 2, 20)

    def passes(theta):
        return rng.random(20) < 1 / (1 + np.exp(hard - theta))

    run = ledger(
        tmp_path / "run",
        *(
            sample(i, 0, *(("pass", 1.0) if p else ("fail", 0.0)))
            for i, p in zip(items, passes(1), strict=True)
        ),
    )
    (tmp_path / "labels.jsonl").write_text(
        "".join(
            json.dumps({"subject": i, "samples": 1, "passes": int(p)}) + "\n"
            for i, p in zip(items, passes(-1), strict=True)
        )
    )
    (tmp_path / "table.jsonl").write_text(
        "".join(
            json.dumps({"configuration": "middle", "item": i, "passes": int(p)}) + "\n"
            for i, p in zip(items, passes(0), strict=True)
        )
    )
    done = CliRunner().invoke(
        command,
        [
            "fit", "--run", f"able={run}", "--labels", f"weak={tmp_path / 'labels.jsonl'}",
            "--table", str(tmp_path / "table.jsonl"), "--out", str(tmp_path / "scale.json"),
        ],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    scale = read_scale(tmp_path / "scale.json")
    theta = {name: ability.theta for name, ability in scale.configurations.items()}
    assert theta["weak"] < theta["middle"] < theta["able"]
    assert scale.configurations["able"].tokens == 7
    assert scale.configurations["weak"].tokens is None


def test_the_front_is_printed_and_drawn(tmp_path):
    cheap = ledger(tmp_path / "a", sample("x", 0, "pass", 1.0, 2), sample("y", 0, "fail", 0.0, 2))
    dear = ledger(tmp_path / "b", sample("x", 0, "pass", 1.0, 8), sample("y", 0, "pass", 1.0, 8))
    worse = ledger(tmp_path / "c", sample("x", 0, "fail", 0.0, 9), sample("y", 0, "fail", 0.0, 9))
    runs = [
        word
        for name, place in (("a", cheap), ("b", dear), ("<c>", worse))
        for word in ("--run", f"{name}={place}")
    ]
    out = tmp_path / "front.svg"
    done = CliRunner().invoke(
        command, ["front", *runs, "--cost", "tokens", "--reference", "10", "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    # Area under the steps: .5 from 2 to 8 and 1 from 8 to 10.
    assert "hypervolume of configurations: 0.5000" in done.output
    assert [line[0] for line in done.output.splitlines()[:3]] == ["*", "*", " "]
    drawn = out.read_text()
    assert drawn.startswith("<svg")
    assert "&lt;c&gt;" in drawn, "names are escaped"
    free = CliRunner().invoke(command, ["front", *runs])
    assert isinstance(free.exception, DataError)
    assert "no" in str(free.exception)


def test_a_text_predicts_the_difficulty_that_hangs_on_its_length():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 40, 60)
    texts = {f"i{i}": " + ".join(["1"] * n) for i, n in enumerate(lengths)}
    b = np.log(lengths) + rng.normal(0, 0.1, 60)
    items = Items(tuple(texts), np.ones(60), b, np.full(60, 0.1), np.full(60, 0.1))
    predictor = fit_predictor(items, texts)
    assert predictor.b.r2 > 0.9
    easy, hard = predictor(" + ".join(["1"] * 2)), predictor(" + ".join(["1"] * 35))
    assert easy[0] < hard[0]
    assert predictor.b.sd < 0.5


def test_texts_that_say_nothing_predict_nothing_and_say_so():
    rng = np.random.default_rng(0)
    texts = {f"i{i}": "".join(rng.choice(list("abcdef "), 30)) for i in range(60)}
    items = Items(tuple(texts), np.ones(60), rng.normal(size=60), np.zeros(60), np.zeros(60))
    predictor = fit_predictor(items, texts)
    assert predictor.b.r2 < 0.2
    assert predictor.b.sd > 0.7, "as wrong as the spread of what it predicts"


def test_too_few_texts_are_refused():
    items = Items(("x", "y"), np.ones(2), np.zeros(2), np.zeros(2), np.zeros(2))
    with pytest.raises(DataError, match="1 of 2 items have a text"):
        fit_predictor(items, {"x": "text"})


def test_features_are_numbers_of_any_text():
    for text in ("", "\n", "😀" * 1000, "\\frac{1}{2}", "\ud800"):
        assert np.isfinite(features(text)).all()
