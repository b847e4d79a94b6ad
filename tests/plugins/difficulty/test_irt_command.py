"""`harness irt fit`: from outcomes to a scale."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from harness_difficulty.commands import command

from harness.contract.errors import DataError
from harness.statistics.irt import read_scale
from harness.testing import CommandConformance
from tests.readout.test_outcomes import ledger, sample


class TestIrt(CommandConformance):
    name = "irt"


def test_the_command_says_which_configuration_solved_nothing(tmp_path: Path) -> None:
    rows = {"none": [0, 0, 0, 0], "some": [1, 1, 0, 0], "more": [1, 1, 1, 0]}
    (tmp_path / "table.jsonl").write_text("".join(
        json.dumps({"configuration": name, "item": f"i{i}", "passes": x}) + "\n"
        for name, row in rows.items()
        for i, x in enumerate(row)
    ))  # fmt: skip
    arguments = ["fit", "--table", str(tmp_path / "table.jsonl"), "--out", str(tmp_path / "scale.json")]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.output.splitlines() if "solved nothing" in line]
    assert "none" in line


def test_the_command_fits_a_scale_to_three_kinds_of_outcomes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    items = [f"i{i}" for i in range(20)]
    hard = np.linspace(-2, 2, 20)

    def passes(theta: float) -> np.ndarray:
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


def test_a_configuration_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    words = ["fit", "--run", "a=x", "--run", "a=y", "--out", str(tmp_path / "s.json")]
    error = CliRunner().invoke(command, words).exception
    assert isinstance(error, DataError)
    assert "names 'a' twice" in str(error)
    assert CliRunner().invoke(command, ["fit", "--out", str(tmp_path / "s.json")]).exit_code == 2
