"""Every hook is documented with its exact signature, and a test implements it; generated pages are fresh."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys

import pytest

from harness.contract import hookspecs
from harness.contract.kinds import KINDS
from harness.plugging.loading import HOOKS
from tests.support.places import ROOT

PAGE = (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("hook", sorted(HOOKS))
def test_every_hook_is_documented_with_its_signature(hook: str) -> None:
    function = getattr(hookspecs, hook)
    signature = str(inspect.signature(function)).replace("'", "")
    assert f"### {hook}\n\n```python\ndef {hook}{signature}\n```\n" in PAGE
    assert inspect.cleandoc(function.__doc__).partition("(`")[0].strip() in PAGE


def test_the_page_documents_no_hook_that_is_not_there() -> None:
    assert {line.removeprefix("### ") for line in PAGE.splitlines() if line.startswith("### ")} == HOOKS


@pytest.mark.parametrize(
    "page",
    [
        "reference/hooks.md",
        "reference/cli.md",
        "reference/recipe.md",
        "how-to/conformance.md",
        "reference/public-api.md",
        "explanation/architecture.md",
        "how-to/capacity.md",
    ],
)
def test_generated_pages_are_fresh(page: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make" / "generate.py"), "--check", page],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.stderr.startswith("docs/reference/recipe.md needs every plugin"):
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stderr) == (0, ""), f"{page}: run 'make docs'; {done.stdout}"


def _implemented_in_tests() -> set[str]:
    """Names of functions that tests mark with @hookimpl, plus the kinds that one test registers each."""
    names = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and any(
                "hookimpl" in ast.dump(d) for d in node.decorator_list
            ):
                names.add(node.name)
    return names


def test_every_event_has_a_test_that_implements_it() -> None:
    events = {hook for hook in HOOKS if not hook.startswith("register_")}
    assert events <= _implemented_in_tests()


def test_every_kind_has_a_test_that_registers_it() -> None:
    from tests.plugging import test_plugins

    (mark,) = test_plugins.test_every_kind_can_be_registered.pytestmark
    assert {f"register_{kind}" for kind in mark.args[1]} == {h for h in HOOKS if h.startswith("register_")}
    assert mark.args[1] == KINDS
