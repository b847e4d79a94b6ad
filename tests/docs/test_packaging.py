"""The wheel and the editable install: everything that is needed is inside, nothing else is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import harness
from tests.support.environments import Environment, build_wheel, new_environment
from tests.support.places import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PLUGINS = PYPROJECT["project"]["entry-points"]["harness"]
#: Packages of ours that are no plugins: they run inside verl and vLLM, where there may be no harness.
INSIDE = {
    "harness_verl_worker",
    "harness_vllm_cpu",
    *PYPROJECT["project"]["entry-points"]["verl.plugins"].values(),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(ROOT, out=tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def _tracked() -> list[str]:
    """Files of the packages: tracked ones, and new ones that are not ignored; not those of neighbours."""
    places = ["harness", "plugins", ":!plugins/neighbours"]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *places]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_the_wheel_holds_every_file_of_our_packages(names: set[str]) -> None:
    assert {name.removeprefix("plugins/") for name in _tracked()} <= names


def test_the_wheel_holds_the_boards_templates(names: set[str]) -> None:
    templates = sorted((ROOT / "leaderboards" / "templates").iterdir())
    assert templates
    assert {f"harness/board/templates/{path.name}" for path in templates} <= names


def test_the_wheel_is_the_same_bytes_from_a_checkout_elsewhere_and_later(wheel: Path, tmp_path: Path) -> None:
    """Neither the folder nor the files' times reach it; `SOURCE_DATE_EPOCH` is not set."""
    left = shutil.ignore_patterns("__pycache__", "neighbours")
    for name in ("harness", "plugins", "sandboxes", "leaderboards"):
        # `copy` gives each file the time of now, `copy2` would keep the old one.
        shutil.copytree(ROOT / name, tmp_path / "tree" / name, ignore=left, copy_function=shutil.copy)
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path / "tree" / name)
    again = build_wheel(tmp_path / "tree", out=tmp_path / "dist")
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


def test_the_wheel_holds_nothing_else(names: set[str]) -> None:
    packages = {"harness", "harness_runner", *PLUGINS.values(), *INSIDE}
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == packages
    assert not [name for name in names if "__pycache__" in name or name.startswith(("tests", "docs"))]


def test_every_plugin_that_is_in_the_tree_is_declared_and_there() -> None:
    folders = {path.parent.name for path in (ROOT / "plugins").glob("*/__init__.py")}
    assert folders == set(PLUGINS.values()) | INSIDE


@pytest.mark.parametrize("package", ["harness", *PLUGINS.values(), *sorted(INSIDE)])
def test_every_package_says_that_it_is_typed(names: set[str], package: str) -> None:
    assert f"{package}/py.typed" in names


def test_metadata(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(archive.read(name).decode())
    assert metadata["Name"] == "staged-harness"
    assert metadata["Version"] == harness.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert any(n.endswith("licenses/LICENSE") for n in archive.namelist())


def test_the_core_needs_nothing_heavy() -> None:
    core = " ".join(PYPROJECT["project"]["dependencies"])
    for heavy in ("torch", "transformers", "vllm", "docker", "pyarrow"):
        assert heavy not in core


def _answers(environment: Environment) -> None:
    helped = environment.harness("--help")
    assert (helped.returncode, "Verbs:" in helped.stdout) == (0, True), helped.stderr
    listed = environment.harness("plugins", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    states = {status["name"]: status["state"] for status in json.loads(listed.stdout)}
    assert set(PLUGINS) <= set(states)
    assert {states[name] for name in PLUGINS} <= {"ok", "missing-extra"}, states
    checked = environment.harness("recipe", "check", str(ROOT / "recipes" / "quickstart.toml"))
    assert checked.returncode == 0, checked.stderr


def test_the_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    environment = new_environment(tmp_path / "env", without=ROOT)
    environment.install(wheel)
    where = environment.run(
        "-c", "import harness, harness_tasks; print(harness.__file__, harness_tasks.__file__)"
    )
    assert where.stdout.count(str(environment.folder)) == 2, where.stdout + where.stderr
    _answers(environment)


def test_an_editable_install_works(tmp_path: Path) -> None:
    environment = new_environment(tmp_path / "env", without=ROOT)
    environment.install_editable(ROOT)
    where = environment.run(
        "-c", "import harness, harness_tasks; print(harness.__file__, harness_tasks.__file__)"
    )
    assert where.stdout.split() == [
        str(ROOT / "harness" / "__init__.py"),
        str(ROOT / "plugins" / "harness_tasks" / "__init__.py"),
    ]
    _answers(environment)


def test_constraints_pin_every_dependency_exactly() -> None:
    lines = (ROOT / "constraints" / "cpu.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pinned = {name.lower().replace("_", "-") for name in pins}
    extras = PYPROJECT["project"]["optional-dependencies"]
    wanted = PYPROJECT["project"]["dependencies"] + [
        line
        for extra, lines in extras.items()
        if extra not in ("vllm", "verl", "verl-cpu", "site")
        for line in lines
    ]
    from packaging.requirements import Requirement

    for line in wanted:
        requirement = Requirement(line)
        if requirement.name == "staged-harness":
            continue
        name = requirement.name.lower().replace("_", "-")
        assert name in pinned, f"constraints/cpu.txt lacks {name}: run 'make constraints'"
        version = next(v for k, v in pins.items() if k.lower().replace("_", "-") == name)
        assert requirement.specifier.contains(version), f"{line} against {version}"


def test_pages_are_made_from_a_wheel_as_from_a_checkout(wheel: Path, tmp_path: Path) -> None:
    """The templates live outside the packages in a checkout, and inside them in a wheel."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site-packages")
    program = (
        "import sys; from pathlib import Path; from harness.board import pages; from harness.board.site "
        "import build_site; build_site(Path(sys.argv[1]), Path(sys.argv[2])); print(pages.templates())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(ROOT / "leaderboards"), str(tmp_path / "out")],
        capture_output=True, text=True, check=True, cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path / "site-packages")},
    )  # fmt: skip
    assert Path(done.stdout.strip()) == tmp_path / "site-packages" / "harness" / "board" / "templates"
    from harness.board.site import build_site

    build_site(ROOT / "leaderboards", tmp_path / "checkout")
    checkout, out = tmp_path / "checkout", tmp_path / "out"
    pages = {path.relative_to(checkout) for path in checkout.rglob("*") if path.is_file()}
    assert pages == {path.relative_to(out) for path in out.rglob("*") if path.is_file()}
    for page in pages:
        assert (checkout / page).read_bytes() == (out / page).read_bytes()
