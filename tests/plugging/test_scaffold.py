"""`harness plugins new` writes a distribution of any kind that passes its own tests as it is."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.cli import main
from harness.contract.errors import PluginError
from harness.contract.kinds import KINDS
from harness.plugging.scaffold import offered, scaffold
from tests.support.environments import build_wheel, new_environment


def name_of(kind: str) -> str:
    return f"my-{kind.replace('_', '-')}"


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One distribution of every kind."""
    folder = tmp_path_factory.mktemp("new")
    return {kind: scaffold(kind, name_of(kind), folder) for kind in offered()}


def as_installed(tree: Path) -> None:
    """Lay beside the package what an installed distribution has, so that its entry point is seen."""
    project = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    about = tree / "src" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = project["entry-points"]["harness"]
    lines = [f"{name} = {module}" for name, module in points.items()]
    about.joinpath("entry_points.txt").write_text("\n".join(["[harness]", *lines, ""]))


def test_there_is_a_template_for_every_kind() -> None:
    assert set(offered()) == set(KINDS)


def test_what_is_written_passes_its_own_tests(trees: dict[str, Path]) -> None:
    """All kinds in one run of pytest: each is found by its entry point, as if installed."""
    pytest.importorskip("torch", reason="the loss term and some recipes need torch")
    for tree in trees.values():
        as_installed(tree)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HARNESS_", "PYTEST_"))}
    env["PYTHONPATH"] = os.pathsep.join(str(tree / "src") for tree in trees.values())
    command = [sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "-p", "no:xdist", *(str(tree / "tests") for tree in trees.values())],
        cwd=next(iter(trees.values())).parent, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_what_is_written_is_clean(trees: dict[str, Path]) -> None:
    for tree in trees.values():
        for verb in (["check"], ["format", "--check"]):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *verb, "--no-cache", "."],
                cwd=tree, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{tree.name}: {done.stdout}{done.stderr}"


def test_nothing_is_left_to_fill_in(trees: dict[str, Path]) -> None:
    for tree in trees.values():
        for path in (path for path in tree.rglob("*") if path.is_file() and path.suffix != ".pyc"):
            assert "@@" not in path.read_text(encoding="utf-8"), path
            assert "@@" not in str(path)


def test_its_wheel_is_a_plugin_where_it_is_installed(tmp_path: Path) -> None:
    tree = scaffold("shapers", "softly", tmp_path)
    wheel = build_wheel(tree)
    assert wheel.name == "staged_harness_softly-0.1.0-py3-none-any.whl"
    environment = new_environment(tmp_path / "env")
    environment.install(wheel)
    listed = environment.harness("plugins", "list")
    assert "staged-harness-softly/softly" in listed.stdout, listed.stdout + listed.stderr
    checked = environment.harness("recipe", "check", str(tree / "recipe.toml"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tree)
    assert tested.returncode == 0, tested.stdout[-3000:] + tested.stderr


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("shaper", "mine", "there is no kind 'shaper'.*shapers"),
        ("plugins", "mine", "there is no kind 'plugins'"),
        ("shapers", "My Shaper", "next: harness plugins new shapers my-shaper"),
        ("shapers", "../up", "next: harness plugins new shapers up"),
        ("shapers", "lambda", "next: harness plugins new shapers mine"),
        ("shapers", "", "'' is no name for a plugin"),
    ],
)
def test_a_kind_or_name_that_does_not_fit_is_refused(
    tmp_path: Path, kind: str, name: str, words: str
) -> None:
    with pytest.raises(PluginError, match=f"(?s){words}"):
        scaffold(kind, name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plugins", "new", "gates", "mine", "--folder", str(tmp_path)]
    assert main(arguments) == 0
    own = tmp_path / "staged-harness-mine" / "README.md"
    own.write_text("mine")
    assert main(arguments) == 2
    assert "is there already, and nothing in it was changed" in capsys.readouterr().err
    assert own.read_text() == "mine"
