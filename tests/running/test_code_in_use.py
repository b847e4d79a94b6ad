"""A run goes on only with the plugins that it was begun with: their version and their code."""

from __future__ import annotations

import ast
import importlib.metadata
from pathlib import Path

import pytest

from harness.contract.errors import LedgerError
from harness.planning.plan import Plan, make_plans
from harness.plugging.plugins import LOCAL_FILE, Plugins, load
from harness.recipe import load_recipe
from harness.recording.ledger import read
from harness.running.code import ELSEWHERE, code_in_use
from harness.running.loop import run
from tests.support.places import ROOT
from tests.support.recipes import SIM, TORCH, write

SHAPER = """
from harness import hookimpl

class Mine:
    def __init__(self, options, context): pass
    def rewards(self, group, label): return [r if r is None else {factor} * r for r in group.rewards]
    def advantages(self, group, label): return list(group.advantages)

@hookimpl
def register_shapers(register):
    register("mine", "harness_plugin:Mine")
"""
SHORT = (
    "stages.0.repeat=1", "stages.0.max_steps=1", "stages.0.gates=[]", 'stages.0.shapers=["local/mine"]',
    'report.reporters=["page"]',
)  # fmt: skip


def planned(path: Path, factor: str) -> Plan:
    (path.parent / LOCAL_FILE).write_text(SHAPER.replace("{factor}", factor))
    (plan,) = make_plans(load_recipe(path, SHORT), load(local=path.parent / LOCAL_FILE))
    return plan


def test_a_run_whose_plugin_changed_is_refused_with_the_difference(tmp_path: Path) -> None:
    path, folder = write(tmp_path, SIM), tmp_path / "run"
    run(planned(path, "0.5"), folder)
    run(planned(path, "0.5"), folder)
    with pytest.raises(LedgerError) as refused:
        run(planned(path, "2.0"), folder)
    said = str(refused.value)
    assert "this run was started with something else" in said
    assert "code.local/harness_plugin.code: was '" in said
    assert "code.local/harness_plugin.version: was '" in said
    assert "code.sim" not in said


def test_the_ledger_names_the_plugins_that_make_numbers_and_no_others(tmp_path: Path) -> None:
    path, folder = write(tmp_path, SIM), tmp_path / "run"
    run(planned(path, "0.5"), folder)
    opened = next(iter(read(folder / "ledger.jsonl")))
    assert set(opened["code"]) == {"curricula", "difficulty", "rewards", "sim", "local/harness_plugin"}
    assert opened["code"]["sim"]["version"] == importlib.metadata.version("staged-harness")


def test_code_of_other_packages_counts_where_a_plugin_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plan,) = make_plans(load_recipe(write(tmp_path, TORCH)), load())
    before = code_in_use(plan)
    monkeypatch.setattr(
        "harness.running.code.code_hash", lambda name: "other" if name == "harness_transformers" else name
    )
    after = code_in_use(plan)
    assert before["torch"] != after["torch"]


def test_first_party_plugins_name_the_packages_that_they_import(harness_plugins: Plugins) -> None:
    plugins = ROOT / "plugins"
    for status in harness_plugins.statuses:
        if all(
            r.kind in ELSEWHERE | {"benchmarks", "profiles", "metrics", "sandboxes", "commands"}
            for r in status.registrations
        ):
            continue
        for package in {r.target.partition(".")[0] for r in status.registrations}:
            theirs = {name for path in (plugins / package).glob("*.py") for name in _imported(path)}
            # What tasks are judged by has a hash of its own.
            lacking = theirs - {package, *status.code, "harness_exact"}
            assert not lacking, f"{status.full_name}: HARNESS_CODE lacks {sorted(lacking)}"


def _imported(path: Path) -> set[str]:
    """First-party packages that a module imports at once."""
    packages = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        packages |= {str(name).partition(".")[0] for name in names if str(name).startswith("harness_")}
    return packages
