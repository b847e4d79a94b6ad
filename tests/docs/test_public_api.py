"""First-party plugins import what any plugin may: public names of the core, public modules of each other."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.places import ROOT

PACKAGES = {
    path.parent.name: path.parent
    for folder in ("plugins", "sandboxes/runner")
    for path in sorted((ROOT / folder).glob("harness_*/__init__.py"))
}
#: Distributions of their own, which may import no more than a third party's, and none of each other.
NEIGHBOURS = {
    path.parent.name: path.parents[2]
    for path in sorted((ROOT / "plugins" / "neighbours").glob("*/src/harness_*/__init__.py"))
}
#: Hashed with images or with verdicts: a declaration there would be another sandbox, or another verifier.
DECLARED_HERE = {
    "harness_livecodebench": ("releases",),
    "harness_runner": ("frames", "program", "server", "trace", "values"),
}
ROOMS = sorted(path.parent.name for path in (ROOT / "harness").glob("*/__init__.py"))


def declared(path: Path, name: str) -> tuple[str, ...] | None:
    """A tuple or list of names that a package's `__init__` declares, None if it declares none."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return tuple(ast.literal_eval(node.value))
    return None


PUBLIC_OF_ROOM: dict[str, list[str]] = {
    room: getattr(importlib.import_module(f"harness.{room}"), "__all__", []) for room in ROOMS
}


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (module, name) for all that a file imports, name "" for a module as a whole."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def is_public(module: str, name: str) -> bool:
    """Whether the core offers it: a name of a room, or anything of a module that a room offers."""
    if module == "harness":
        return name in ("hookimpl", "API")
    _, room, *inside = module.split(".")
    public = PUBLIC_OF_ROOM.get(room, [])
    return name in public if not inside else inside[0] in public


@pytest.mark.parametrize("package", [*PACKAGES, *NEIGHBOURS, "examples"])
def test_a_plugin_imports_public_names_of_the_core_alone(package: str) -> None:
    folder = (PACKAGES | NEIGHBOURS).get(package, ROOT / "docs" / "examples")
    private = {
        f"{path.relative_to(ROOT)}: from {module} import {name}"
        for path in sorted(folder.rglob("*.py"))
        for module, name in imports(path)
        if module.partition(".")[0] == "harness" and not is_public(module, name)
    }
    assert not private


@pytest.mark.parametrize("package", NEIGHBOURS)
def test_a_neighbour_imports_no_other_plugin_but_what_that_declares_public(package: str) -> None:
    for path in sorted((NEIGHBOURS[package] / "src").rglob("*.py")):
        for module, name in imports(path):
            other, _, inside = module.partition(".")
            if other.startswith("harness_") and other != package:
                public = declared(PACKAGES[other] / "__init__.py", "PUBLIC") or ()
                assert (inside.partition(".")[0] or name) in public, f"{path}: {module}"


def test_a_plugin_imports_modules_of_another_that_it_declares_public_and_no_more_are() -> None:
    used: dict[str, set[str]] = {package: set() for package in PACKAGES}
    users = PACKAGES | {package: folder / "src" for package, folder in NEIGHBOURS.items()}
    for package, folder in users.items():
        for path in sorted(folder.rglob("*.py")):
            for module, name in imports(path):
                other, _, inside = module.partition(".")
                if other in PACKAGES and other != package:
                    is_module = not inside and (PACKAGES[other] / f"{name}.py").is_file()
                    used[other] |= {inside.partition(".")[0] or (name if is_module else "")} - {""}
    said = {
        package: DECLARED_HERE.get(package) or declared(folder / "__init__.py", "PUBLIC") or ()
        for package, folder in PACKAGES.items()
    }
    assert {package: sorted(modules) for package, modules in used.items()} == {
        package: sorted(modules) for package, modules in said.items()
    }


def test_plugins_import_each_other_in_no_circle() -> None:
    everywhere = PACKAGES | {package: root / "src" for package, root in NEIGHBOURS.items()}
    others = {
        package: {
            module.partition(".")[0]
            for path in sorted(folder.rglob("*.py"))
            for module, _ in imports(path)
            if module.partition(".")[0] in everywhere.keys() - {package}
        }
        for package, folder in everywhere.items()
    }
    assert others["harness_sandbox_cli"] >= {"harness_sandbox", "harness_docker", "harness_code"}
    try:
        TopologicalSorter(others).prepare()
    except CycleError as circle:
        pytest.fail(" imports ".join(reversed(circle.args[1])))


@pytest.mark.parametrize("room", [room for room in ROOMS if PUBLIC_OF_ROOM[room]])
def test_what_a_room_exports_is_there(room: str) -> None:
    package = importlib.import_module(f"harness.{room}")
    for name in PUBLIC_OF_ROOM[room]:
        if not hasattr(package, name):
            importlib.import_module(f"harness.{room}.{name}")


@pytest.mark.parametrize(
    "stub", sorted((ROOT / "harness").glob("*/__init__.pyi")), ids=lambda p: p.parent.name
)
def test_a_stub_lists_what_its_room_passes_on_and_nothing_else(stub: Path) -> None:
    """Another line would be told to type checkers and be absent when the room is imported."""
    for node in ast.parse(stub.read_text(encoding="utf-8")).body:
        assert isinstance(node, ast.ImportFrom), ast.unparse(node)
        assert [alias.name for alias in node.names] == [alias.asname for alias in node.names], ast.unparse(
            node
        )


def test_a_room_lists_its_names_for_a_prompt_without_importing_their_modules() -> None:
    code = (
        "import sys, harness.training as t; print('Drive' in dir(t), 'harness.training.drive' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


def test_a_room_has_no_name_that_it_does_not_export() -> None:
    contract = importlib.import_module("harness.contract")
    with pytest.raises(AttributeError, match="has no attribute 'Tusk'"):
        _ = contract.Tusk
