"""Folders that runs share: one answer, whoever asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness_sandbox.build import build_sandbox

from harness.contract.errors import RecipeError
from harness.plugging.plugins import LOCAL_FILE, load
from harness.scoring import VerifierSpec
from harness.scoring.spec import build
from harness.support.folders import cache_folder, data_folder

PLUGIN = """
from harness import hookimpl

class Told:
    def __init__(self, options, context):
        self.cache = context.cache

@hookimpl
def register_sandboxes(register):
    register("told", "harness_plugin:Told")

@hookimpl
def register_verifiers(register):
    register("told", "harness_plugin:Told")
"""


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HARNESS_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/harness"),
        ({"HOME": "/c"}, "/c/.cache/harness"),
    ],
)
def test_the_cache_is_where_the_environment_says_for_runs_sandboxes_and_verifiers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str
) -> None:
    (tmp_path / LOCAL_FILE).write_text(PLUGIN)
    plugins = load(local=tmp_path / LOCAL_FILE)
    for name in ("HARNESS_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    registration = plugins.registry.find("verifiers", "local/told")
    spec = VerifierSpec.of(registration, file=tmp_path / LOCAL_FILE)
    verifier: Any = build(spec, {})
    assert {
        str(cache_folder()),
        str(build_sandbox("local/told", plugins=plugins).cache),
        str(verifier.cache),
    } == {folder}


def test_data_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_DATA", "")
    assert data_folder() is None
    monkeypatch.setenv("HARNESS_DATA", str(tmp_path / "none"))
    with pytest.raises(RecipeError, match="is not a folder"):
        data_folder()
