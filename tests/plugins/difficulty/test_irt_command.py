"""`harness irt fit`: from outcomes to a scale."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from harness_difficulty.commands import command

from harness.contract.errors import DataError
from harness.statistics.irt import Scale, read_scale
from harness.testing import CommandConformance, run_recipe
from tests.readout.test_outcomes import ledger, sample
from tests.support.recipes import SIM, write


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


def fitted(out: Path, *words: str) -> Scale:
    done = CliRunner().invoke(command, ["fit", *words, "--out", str(out)])
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    return read_scale(out)


def test_checkpoints_of_a_run_and_its_stages_make_scales_and_the_next_run_is_placed_on_one(
    tmp_path: Path,
) -> None:
    recipe = write(tmp_path, SIM)
    run = run_recipe(recipe, "--set", "budget.rollouts=4000", folder=tmp_path / "first")
    checkpoints = fitted(tmp_path / "checkpoints.json", "--run", f"policy={run.folder}")
    abilities = [ability.theta for ability in checkpoints.configurations.values()]
    assert len(abilities) > 3
    assert all(name.startswith("policy@") for name in checkpoints.configurations)
    assert abilities[-1] > abilities[0] + 1, "the student learns"
    stages = fitted(tmp_path / "scale.json", "--labels", f"policy={run.folder}")
    assert len(stages.configurations) > 1

    other = tmp_path / "other"
    other.mkdir()
    placing = SIM.replace(
        'estimator = { name = "pass-rate", samples = 2, tasks = 8 }',
        f'estimator = {{ name = "irt-2pl", scale = "{tmp_path}/scale.json", se = 0.4, most = 8 }}',
    ).replace('gates = [{ name = "mixed-outcomes", max_refills = 20 }]\n', "")
    placed = run_recipe(write(other, placing), "--set", "budget.rollouts=1000", folder=tmp_path / "second")
    first = placed.lines("labels")[0]
    assert first["rollouts"] < run.lines("labels")[0]["rollouts"], "few items tell of all"
    assert {label["subject"] for label in first["labels"]} == set(stages.items)
    assert all(label["extra"]["b"] == stages.items[label["subject"]].b for label in first["labels"])
    assert any(not label["samples"] and label["predicted"] is not None for label in first["labels"])
