"""The front of evaluations, and what a text says of an item that nobody ran."""

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
from harness.statistics.irt import Item, Items, Scale, read_scale, write_scale

from harness_radar.commands import command
from harness_radar.features import TextScale, fit_predictor


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


def test_a_scale_is_given_texts_and_stays_a_scale(tmp_path):
    items = {f"i{n}": Item(1.0, n / 4) for n in range(12)}
    write_scale(Scale(items), tmp_path / "scale.json")
    rows = [{"id": f"i{n}", "problem": " + ".join(["1"] * (n + 1))} for n in range(12)]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["texts", "--scale", str(tmp_path / "scale.json"), "--texts", str(tmp_path / "texts.jsonl")]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    assert "b within" in done.output
    assert read_scale(tmp_path / "scale.json").items == items
    scale = read_scale(tmp_path / "scale.json", TextScale)
    assert scale.predicted("1 + 1").b < scale.predicted(" + ".join(["1"] * 11)).b
