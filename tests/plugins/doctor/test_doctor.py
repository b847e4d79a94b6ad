"""`harness doctor`: what is said of this machine, and of settings that are wrong."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from harness_doctor.installation import EXTRAS, NOT_FOR_USERS

from tests.support.places import ROOT
from tests.support.runs import harness

#: Of this process's environment nothing that is examined reaches a test.
CLEAN = dict.fromkeys(
    ["HARNESS_DATA", "HARNESS_VERL_PYTHON", "DOCKER_HOST", "HF_HOME", "HF_HUB_CACHE", "HF_ENDPOINT",
     "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "HF_TOKEN"],
    "",
)  # fmt: skip


def program(folder: Path, name: str, text: str) -> Path:
    """A program that is found before others of its name."""
    (folder / "bin").mkdir(exist_ok=True)
    path = folder / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def doctor(home: Path, *arguments: str, code: int = 0, **environment: str) -> dict[str, dict[str, Any]]:
    """Its findings by subject; the machine has no GPU and no Docker unless a test says otherwise."""
    if not (home / "bin" / "nvidia-smi").exists():
        program(home, "nvidia-smi", "exit 0")
    settings = CLEAN | {
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(home / "xdg"), **environment
    }  # fmt: skip
    done = harness("doctor", "--json", *arguments, cwd=home, **settings)
    assert done.returncode == code, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["faults"] == sum(finding["state"] == "fault" for finding in told["findings"])
    return {finding["subject"]: finding for finding in told["findings"]}


def test_a_machine_without_a_fault_passes(tmp_path: Path) -> None:
    findings = doctor(tmp_path)
    assert sys.executable in findings["Python"]["said"]
    assert findings["plugins"]["state"] == "ok"
    assert findings["GPUs"]["state"] == "off"
    assert findings["HARNESS_CACHE"]["said"] == str(tmp_path / "cache")
    assert "free for runs, HARNESS_CACHE" in findings["disk"]["said"]
    assert str(tmp_path / "xdg" / "huggingface") in findings["HF_HOME"]["said"]


def test_what_is_off_has_the_line_that_mends_it(tmp_path: Path) -> None:
    for subject, finding in doctor(tmp_path).items():
        if finding["state"] == "off" and subject != "GPUs":
            assert finding["mend"], subject


def test_every_extra_is_told_with_what_it_is_for(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {*EXTRAS, *NOT_FOR_USERS} == set(project["optional-dependencies"])
    findings = doctor(tmp_path)
    for extra, words in EXTRAS.items():
        finding = findings[f"extra {extra}"]
        assert finding["said"].startswith(words)
        if finding["state"] == "off":
            assert finding["mend"] == f"pip install 'staged-harness[{extra}]'"


@pytest.mark.parametrize(
    ("variables", "subject", "said", "mend"),
    [
        ({"HARNESS_DATA": "/absent"}, "HARNESS_DATA", "/absent is not a folder", "export HARNESS_DATA"),
        ({"HARNESS_CACHE": "/dev/null"}, "HARNESS_CACHE", "/dev/null is no folder", "export HARNESS_CACHE"),
        ({"HARNESS_VERL_PYTHON": "/absent/python"}, "HARNESS_VERL_PYTHON", "no program", "ENV/bin/python"),
        ({"HARNESS_VERL_PYTHON": "/bin/false"}, "HARNESS_VERL_PYTHON", "exit code 1", "ENV/bin/python"),
        ({"HARNESS_VERL_PYTHON": sys.executable}, "HARNESS_VERL_PYTHON", "no verl", "-m pip install verl"),
    ],
)
def test_a_setting_that_does_not_work_is_a_fault(
    tmp_path: Path, variables: dict[str, str], subject: str, said: str, mend: str
) -> None:
    finding = doctor(tmp_path, code=1, **variables)[subject]
    assert finding["state"] == "fault"
    assert said in finding["said"]
    assert mend in finding["mend"]


def test_a_docker_engine_that_is_named_and_does_not_answer_is_a_fault(tmp_path: Path) -> None:
    pytest.importorskip("docker")
    finding = doctor(tmp_path, code=1, DOCKER_HOST=f"unix://{tmp_path}/absent.sock")["Docker"]
    assert finding["mend"] == "unset DOCKER_HOST, or start the engine that it names"


def test_gpus_are_those_of_the_driver(tmp_path: Path) -> None:
    program(tmp_path, "nvidia-smi", "echo 'Some GPU, 81559 MiB, 570.1'")
    finding = doctor(tmp_path, code=1 if _torch_for_cpus() else 0)["GPUs"]
    assert "Some GPU, 81559 MiB, 570.1" in finding["said"]
    if _torch_for_cpus():
        assert "a build for CPUs" in finding["said"]
    program(tmp_path, "nvidia-smi", "echo 'has failed because it could not talk to the driver'; exit 9")
    assert "could not talk to the driver" in doctor(tmp_path, code=1)["GPUs"]["said"]


def _torch_for_cpus() -> bool:
    import importlib.metadata

    try:
        return importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return False


def test_the_environment_of_an_engine_is_asked_what_it_has(tmp_path: Path) -> None:
    engine = program(
        tmp_path, "python-of-vllm", """echo '{"python": "3.12.1", "have": {"vllm": "0.32.0"}}'"""
    )
    findings = doctor(tmp_path, "--python", str(engine))
    assert findings[f"environment {engine}"]["said"] == "Python 3.12.1, vllm 0.32.0"
    assert "engines" not in findings


def test_offline_without_anything_to_read_is_said(tmp_path: Path) -> None:
    finding = doctor(tmp_path, HF_HUB_OFFLINE="1")["Hub"]
    assert (finding["state"], finding["mend"]) == ("off", "unset HF_HUB_OFFLINE")
    (tmp_path / "cache/hub/models--a--b").mkdir(parents=True)
    finding = doctor(tmp_path, HF_HUB_OFFLINE="1")["Hub"]
    assert finding["state"] == "ok"
    assert "1 model and 0 splits of data sets" in finding["said"]


def test_local_data_is_named_by_benchmark(tmp_path: Path) -> None:
    for name in ("benchmarks/math500.jsonl", "code/mbpp.jsonl"):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        (tmp_path / "data" / name).write_text("{}\n")
    finding = doctor(tmp_path, HARNESS_DATA=str(tmp_path / "data"))["HARNESS_DATA"]
    assert finding["said"] == f"{tmp_path / 'data'} has math500, mbpp"


def test_a_token_is_said_to_be_there_and_is_not_shown(tmp_path: Path) -> None:
    done = harness("doctor", "--json", cwd=tmp_path, **CLEAN | {"HF_TOKEN": "hf_very_secret"})
    assert '"said": "set"' in done.stdout
    assert "hf_very_secret" not in done.stdout + done.stderr


def test_a_broken_plugin_is_a_fault_that_plugins_doctor_explains(tmp_path: Path) -> None:
    made = tmp_path / "site"
    (made / "broken_one-1.dist-info").mkdir(parents=True)
    (made / "broken_one-1.dist-info" / "METADATA").write_text("Name: broken-one\nVersion: 1\n")
    (made / "broken_one-1.dist-info" / "entry_points.txt").write_text("[harness]\nbroken = broken_one\n")
    (made / "broken_one.py").write_text("raise RuntimeError('it is broken')\n")
    finding = doctor(tmp_path, code=1, PYTHONPATH=str(made))["plugins"]
    assert finding["state"] == "fault"
    assert "broken-one/broken" in finding["said"]
    assert finding["mend"] == "harness plugins doctor"


def test_people_read_lines_with_what_to_do_below(tmp_path: Path) -> None:
    done = harness("doctor", cwd=tmp_path, **CLEAN | {"HARNESS_DATA": "/absent"})
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("fault  HARNESS_DATA"))
    assert lines[at + 1].strip() == "next: export HARNESS_DATA=FOLDER"
    assert lines[-1].endswith("1 at fault")
