"""Missing requirements of extras: the quick reading and the full one agree."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.contract.errors import PluginError
from harness.plugging import requirements
from harness.plugging.requirements import extra_that_brings, missing_requirements, needs_other_harness

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs the metadata of a distribution for one test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    requirements.declared.cache_clear()

    def make(name: str, version: str, *lines: str) -> None:
        info = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines]
        (info / "METADATA").write_text("\n".join(metadata) + "\n")
        requirements._installed.cache_clear()

    return make


@pytest.mark.parametrize(
    ("requirement", "missing"),
    [
        ("fake-lib; extra == 'x'", False),
        ('Fake_Lib>=2.0 ; extra == "x"', False),
        ("fake-lib>=2.0.0.0; extra == 'x'", False),
        ("fake-lib>=2.1; extra == 'x'", True),
        ("fake-lib[gpu]>=1.9; extra == 'x'", False),
        ("fake-lib<2; extra == 'x'", True),
        ("fake-lib!=2.0,>=1; extra == 'x'", True),
        ("fake-lib>=1,<3; extra == 'x'", False),
        ("no-such-lib; extra == 'x'", True),
        ("no-such-lib; extra == 'y'", False),
        ("no-such-lib", False),
        ("no-such-lib; python_version < '3' and extra == 'x'", False),
        ("no-such-lib>=1; python_version > '3' and extra == 'x'", True),
        ("fake-pre>=2.0; extra == 'x'", True),
        ("fake-pre>=2.0b1; extra == 'x'", False),
        ("fake-local>=2.13; extra == 'x'", False),
        ("fake-local==2.13.0; extra == 'x'", False),
        ("fake-lib<2.0.1,==2.0.0; extra == 'x'", False),
        ("fake-lib (>=1,<2); extra == 'x'", True),
        ("fake-lib==2.*; extra == 'x'", False),
        ("fake-pre<3; extra == 'x'", False),
    ],
)
def test_absent_and_too_old_requirements_of_an_extra_are_missing(
    install: Install, requirement: str, missing: bool
) -> None:
    install("fake-lib", "2.0")
    install("fake-pre", "2.0rc1")
    install("fake-local", "2.13.0+cpu")
    install("fake", "1.0", "Provides-Extra: x", "Provides-Extra: y", f"Requires-Dist: {requirement}")
    wanted = [requirement.partition(";")[0].strip()] if missing else []
    assert missing_requirements("fake", "x") == wanted


def test_an_extra_made_of_others_needs_what_they_need(install: Install) -> None:
    lines = [f"Provides-Extra: {extra}" for extra in ("all", "x", "y")]
    lines += [f"Requires-Dist: no-such-{extra}; extra == '{extra}'" for extra in "xy"]
    install("fake", "1.0", *lines, "Requires-Dist: fake[x,y]; extra == 'all'")
    assert missing_requirements("fake", "all") == ["no-such-x", "no-such-y"]


def test_the_extra_that_brings_a_module_is_named_with_the_line_that_installs_it(install: Install) -> None:
    install("fake", "1.0", "Provides-Extra: x", "Requires-Dist: no.such_lib>=3; extra == 'x'")
    assert extra_that_brings("fake", "no_such_lib") == "no.such_lib>=3 not installed: pip install 'fake[x]'"
    assert extra_that_brings("fake", "no_such") == ""
    assert extra_that_brings("not-installed-at-all", "x") == ""


@pytest.mark.parametrize(
    ("requirement", "unmet"),
    [
        ("staged-harness>=99", "staged-harness>=99"),
        ("Staged_Harness[torch]<0.0.1", "Staged_Harness<0.0.1"),
        ("staged-harness>=0.1", ""),
        ("staged-harness", ""),
        ("staged-harness>=99; python_version < '3'", ""),
        ("staged-harness-other>=99", ""),
    ],
)
def test_a_plugin_that_needs_another_harness_is_told_apart(
    install: Install, requirement: str, unmet: str
) -> None:
    install("fake", "1.0", f"Requires-Dist: {requirement}")
    assert needs_other_harness("fake", "staged-harness") == unmet


releases = st.lists(st.integers(0, 20), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))


@given(releases, releases)
def test_releases_compare_as_packaging_compares_them(one: str, other: str) -> None:
    numbers = requirements._numbers(one), requirements._numbers(other)
    assert (numbers[0] >= numbers[1]) == (Version(one) >= Version(other))


@given(releases, st.lists(st.tuples(st.sampled_from([">=", "<", "=="]), releases), max_size=3))
def test_bounds_hold_as_packaging_holds_them(release: str, bounds: list[tuple[str, str]]) -> None:
    text = ",".join(operator + bound for operator, bound in bounds)
    assert requirements._within(requirements._numbers(release), text) == SpecifierSet(text).contains(release)


def test_starting_the_command_parses_no_requirement_in_full() -> None:
    """Those of our own extras are plain: parsing them by `packaging` would cost a third of the start."""
    code = "import sys; from harness.cli import main; main(['--help']); sys.exit('packaging' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", [
    "numpy>=; extra == 'x'", "numpy; extra == 'x' and nonsense", "; extra == 'x'",
    "numpy<" + "1" * 5000 + "; extra == 'x'",
])  # fmt: skip
def test_a_requirement_that_is_none_names_its_distribution(install: Install, line: str) -> None:
    install("fake", "1.0", "Provides-Extra: x", f"Requires-Dist: {line}")
    with pytest.raises(PluginError, match="fake: its requirements cannot be read"):
        missing_requirements("fake", "x")


def test_extras_that_name_each_other_need_what_both_need(install: Install) -> None:
    lines = ["Requires-Dist: fake[y]; extra == 'x'", "Requires-Dist: fake[x]; extra == 'y'"]
    lines += [f"Requires-Dist: no-such-{extra}; extra == '{extra}'" for extra in "xy"]
    install("fake", "1.0", "Provides-Extra: x", "Provides-Extra: y", *lines)
    assert sorted(missing_requirements("fake", "x")) == ["no-such-x", "no-such-y"]
