"""From ledgers, label files and tables to outcomes of models and checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.contract.errors import DataError
from harness.contract.records import PolicyRef, Rollout, RolloutKey, Sampling, Verdict, builtins
from harness.readout.outcomes import (
    by_checkpoint,
    configurations,
    from_label_file,
    from_ledger,
    from_table,
    labelled,
)


def verdict(status: Any, score: float | None) -> Any:
    return builtins(Verdict(status=status, score=score, verifier="exact", verifier_hash="0"))


def sample(
    task: str, number: int, status: Any, score: float | None, tokens: int = 7, **more: Any
) -> dict[str, Any]:
    rollout = Rollout(
        key=RolloutKey("r", "eval", "b", 0, task, number), prompt_ids=(), completion_ids=(), text="x",
        finish="stop", policy=PolicyRef(weights_sha="0"), sampling=Sampling(), completion_tokens=tokens,
    )  # fmt: skip
    return {
        "t": "sample",
        "heldout": "b",
        "rollout": builtins(rollout),
        "verdict": verdict(status, score),
        **more,
    }


def ledger(folder: Path, *lines: dict[str, Any]) -> Path:
    """An evaluation's folder with these lines."""
    path = folder / "main" / "seed-0" / "ledger.jsonl"
    path.parent.mkdir(parents=True)
    opened = {"t": "opened", "schema": 2}
    path.write_text("".join(json.dumps(line) + "\n" for line in [opened, *lines]))
    return folder


def test_a_ledger_gives_judged_samples_and_their_tokens(tmp_path: Path) -> None:
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


def test_the_last_judgement_of_a_sample_counts(tmp_path: Path) -> None:
    later = {
        "t": "verdict", "scoring": 1, "heldout": "b", "task": "x", "sample": 0, "finish": "stop", "tokens": 7,
        "verdict": verdict("pass", 1.0),
    }  # fmt: skip
    place = ledger(tmp_path / "run", sample("x", 0, "fail", 0.0), later)
    assert from_ledger(place)["x"].passes == 1.0


def test_a_folder_of_several_runs_is_refused(tmp_path: Path) -> None:
    ledger(tmp_path / "one", sample("x", 0, "pass", 1.0))
    ledger(tmp_path / "two", sample("x", 0, "pass", 1.0))
    with pytest.raises(DataError, match="2 ledgers"):
        from_ledger(tmp_path)


def test_tables_and_labels_that_do_not_fit_are_refused_by_line(tmp_path: Path) -> None:
    table = tmp_path / "table.jsonl"
    table.write_text('{"configuration": "c", "item": "i", "passes": 1}\n{"item": "i"}\n')
    with pytest.raises(DataError, match="line 2"):
        from_table(table)
    labels = tmp_path / "labels.jsonl"
    labels.write_text('{"subject": "s", "samples": 0, "passes": 0, "predicted": 0.5}\n')
    with pytest.raises(DataError, match="no label counts a sample"):
        from_label_file(labels)


def test_each_checkpoint_of_a_run_is_a_configuration(tmp_path: Path) -> None:
    place = ledger(
        tmp_path / "run", sample("x", 0, "fail", 0.0, stage="", step=0),
        sample("x", 0, "pass", 1.0, stage="hard", step=10),
        sample("y", 0, "fail", 0.0, stage="hard", step=10),
    )  # fmt: skip
    outcomes = configurations("run", place)
    assert {name: {item: c.passes for item, c in cells.items()} for name, cells in outcomes.items()} == {
        "run@start-0": {"x": 0.0},
        "run@hard-10": {"x": 1.0, "y": 0.0},
    }
    with pytest.raises(DataError, match="2 checkpoints were evaluated, such as start-0"):
        from_ledger(place)


def test_counts_stand_for_samples_that_were_not_kept(tmp_path: Path) -> None:
    evaluation = {
        "t": "evaluation", "name": "inside", "heldout": "b", "stage": "s", "step": 2,
        "problems": {"x": {"samples": 4, "passes": 3, "score": 3.0, "tokens": 40}, "y": {"infra": 4}},
    }  # fmt: skip
    (cells,) = by_checkpoint(ledger(tmp_path / "run", evaluation)).values()
    assert {item: (c.samples, c.passes, c.tokens) for item, c in cells.items()} == {"x": (4, 3.0, 40)}
    both = ledger(tmp_path / "both", sample("x", 0, "pass", 1.0, stage="s", step=2), evaluation)
    (cells,) = by_checkpoint(both).values()
    assert cells["x"].samples == 1, "what is there as samples is not counted twice"


def test_labels_of_a_run_are_a_configuration_per_stage(tmp_path: Path) -> None:
    def label(subject: str, samples: int, passes: int, **more: Any) -> dict[str, Any]:
        policy = {"weights_sha": "0"}
        told = {"subject": subject, "model": "policy", "policy": policy, "samples": samples, "passes": passes}
        return told | more

    rows = [label("x", 8, 2), label("y", 0, 0, predicted=0.5)]
    run = ledger(
        tmp_path / "run", {"t": "labels", "stage": "easy", "labels": rows},
        {"t": "labels", "stage": "hard", "labels": [label("x", 8, 7)]},
    )  # fmt: skip
    outcomes = labelled("run", run)
    assert {name: {item: c.passes for item, c in cells.items()} for name, cells in outcomes.items()} == {
        "run@easy": {"x": 2.0},
        "run@hard": {"x": 7.0},
    }
    with pytest.raises(DataError, match="no label counts a sample"):
        labelled("none", ledger(tmp_path / "none", {"t": "labels", "stage": "s", "labels": rows[1:]}))
