"""A model behind servers has an identity of its own: the name that the servers give it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="needs the extra 'openai'")
pytest.importorskip("math_verify", reason="needs the extra 'math'")

from harness.board.build import entries
from harness.board.check import check_entry
from harness.board.site import build_site
from harness.cli import main
from harness.readout import read_study
from tests.support.evaluations import lines, math500_rows, write_rows
from tests.support.openai_server import serving

SMOKE = ["-b", "math500", "--limit", "3", "--profile", "greedy-smoke"]
FOLDER = "runs/qwen3-8b-greedy-smoke-1"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_DATA", str(write_rows(tmp_path / "data", math500_rows())))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def ask(model: str, *urls: str, more: tuple[str, ...] = ()) -> list[str]:
    return ["eval", model, "--engine", "openai", "--set", f"servers={json.dumps(urls)}", *SMOKE, *more]


@pytest.mark.parametrize("vllm", [True, False])
def test_the_servers_name_is_the_models_and_no_file_is_needed(home: Path, vllm: bool) -> None:
    with serving(model="org/qwen3-8b", vllm=vllm) as server:
        assert main(ask("org/qwen3-8b", server.url)) == 0
        assert {body["model"] for body in server.bodies} == {"org/qwen3-8b"}
    opened = lines(home / FOLDER, "opened")[0]
    assert opened["model"] == {"name": "org/qwen3-8b", "weights_sha": "", "context_length": None}
    policies = {line["rollout"]["policy"]["weights_sha"] for line in lines(home / FOLDER, "sample")}
    assert policies == {"served:org/qwen3-8b"}


def test_one_address_may_be_given_as_text(home: Path) -> None:
    with serving(model="m") as server:
        assert main(["eval", "m", "--engine", "openai", "--set", f"servers={server.url}", *SMOKE]) == 0


def test_a_wrong_name_is_refused_before_a_folder_exists(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(model="qwen3-8b") as server:
        assert main(ask("qwen3-9b", server.url)) == 2
        assert not server.bodies
    said = capsys.readouterr().err
    assert "does not serve 'qwen3-9b'" in said
    assert "allowed: qwen3-8b" in said
    assert not (home / "runs").exists()


def test_a_server_that_is_not_there_is_refused_before_a_folder_exists(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(model="qwen3-8b") as server:
        gone = server.url
    started = time.monotonic()
    assert main(ask("qwen3-8b", gone)) == 1
    assert time.monotonic() - started < 60, "it is not waited for"
    said = capsys.readouterr().err
    assert f"no server answers: {gone}: no connection" in said
    assert "start the server first" in said
    assert not (home / "runs").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--loader", "folder"), "the servers hold the model"),
        (("--set", "model=other"), "MODEL is the name that the servers give it"),
    ],
)
def test_a_second_identity_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    assert main(ask("qwen3-8b", "http://127.0.0.1:9/v1", more=more)) == 2
    assert message in capsys.readouterr().err
    assert not (home / "runs").exists()


def test_a_prompt_beyond_the_servers_context_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(model="qwen3-8b") as server:
        longer = ("--override", "sampling.max_tokens=4090")
        assert main(ask("qwen3-8b", server.url, more=longer)) == 2
        assert not server.bodies
    assert "beyond the model's context of 4096" in capsys.readouterr().err


def test_records_of_a_model_without_a_weights_hash_are_shown_compared_and_put_on_a_board(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(model="qwen3-8b") as server:
        main(ask("qwen3-8b", server.url))
        main(ask("qwen3-8b", server.url))
    for command in (
        ["show", FOLDER], ["show", f"{FOLDER}/main/seed-0"], ["report", FOLDER],
        ["compare", FOLDER, "runs/qwen3-8b-greedy-smoke-2"], ["board", "add", FOLDER, "--board", "b"],
        ["board", "check"], ["board", "build"],
    ):  # fmt: skip
        assert main(command) == 0, command
    said = capsys.readouterr().out
    assert "qwen3-8b (weights unknown)" in said
    assert "weights unknown; recipe" in said
    (entry,) = entries(read_study(home / FOLDER), "b")
    assert not check_entry(entry)
    assert (entry.model.name, entry.model.weights_sha) == ("qwen3-8b", "")
    page = (home / "leaderboards" / "site" / "b.html").read_text()
    assert "qwen3-8b, weights unknown" in page
    assert build_site(home / "leaderboards", home / "again")


def test_imported_answers_and_answers_by_rule_have_no_weights_hash_either(home: Path) -> None:
    (home / "theirs.jsonl").write_text('{"index": 0, "response": "\\\\boxed{0}"}\n')
    imported = ["score", "--import", "theirs.jsonl", "-b", "math500", "--profile", "greedy-smoke"]
    assert main([*imported, "--limit", "1"]) == 0
    assert main(["eval", "m", "--engine", "echo", "--set", 'text="3"', *SMOKE]) == 0
    for folder in ("theirs-greedy-smoke-1", "m-greedy-smoke-1"):
        assert lines(home / "runs" / folder, "opened")[0]["model"]["weights_sha"] == ""
