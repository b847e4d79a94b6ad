"""Real wheels in real environments, for tests of packaging and of other people's plugins.

Wheels are built by hatchling, the backend that the tutorial recommends, called directly: what a
build front end adds is an isolated environment, which would need an index. An environment is a
virtual one that sees everything the tests see and has its own site-packages on top, so that a wheel
is installed for real in a second.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import textwrap
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


def write_tree(folder: Path, files: Mapping[str, str]) -> Path:
    """Write texts, indented as their tests are, under a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return folder


def plugin_tree(
    folder: Path,
    name: str,
    source: str,
    *,
    module: str = "",
    entry: str = "",
    project: str = "",
    tables: str = "",
) -> Path:
    """The source tree of a third party's distribution `staged-harness-<name>` with one module.

    Args:
        module: its name, when not made from the distribution's.
        entry: its entry points, when not one that is named like the distribution.
        project: further lines of `[project]`.
        tables: further tables of pyproject.toml.
    """
    module = module or f"staged_harness_{name.replace('-', '_')}"
    toml = f"""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "staged-harness-{name}"
version = "1.2.3"
{project}

[project.entry-points.harness]
{entry or f'{name} = "{module}"'}

[tool.hatch.build.targets.wheel]
only-include = ["{module}.py"]

{tables}
"""
    return write_tree(folder, {"pyproject.toml": toml, f"{module}.py": source})


def build_wheel(tree: Path, out: Path | None = None) -> Path:
    """Build the wheel of a source tree, into its `dist` unless told otherwise."""
    out = out or tree / "dist"
    script = f"import hatchling.build, sys; sys.stdout.write(hatchling.build.build_wheel({str(out)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tree, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.strip().splitlines()[-1]


@dataclass(frozen=True)
class Environment:
    """A virtual environment with a home of its own."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        base = {"base": str(self.folder), "platbase": str(self.folder)}
        return Path(sysconfig.get_path("purelib", vars=base))

    def install(self, *wheels: Path) -> None:
        """Install wheels and nothing else."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "--disable-pip-version-check"]
        self._checked([*pip, "install", "--quiet", "--no-deps", "--no-index", *map(str, wheels)])

    def install_editable(self, tree: Path) -> None:
        """Install a source tree in place, with the build backend that the tests have."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "--disable-pip-version-check"]
        options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
        self._checked([*pip, "install", *options, "--editable", str(tree)])

    def run(
        self, *arguments: str, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python and return what came of it; the caller looks at the exit code."""
        hidden = ("HARNESS_", "PYTHON", "XDG_", "COV_", "PYTEST_")
        env = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
        env |= {"HOME": str(self.folder), "OMP_NUM_THREADS": "1", **variables}
        return subprocess.run(
            [str(self.python), *arguments],
            cwd=cwd or self.folder,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def harness(
        self, *arguments: str, cwd: Path | None = None, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line."""
        return self.run("-m", "harness", *arguments, cwd=cwd, **variables)

    @staticmethod
    def _checked(command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def new_environment(folder: Path, *, without: Path | None = None) -> Environment:
    """An environment over the tests' own.

    Args:
        without: a checkout whose own folders are left out, and its distribution with them.
    """
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    environment = Environment(folder)
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    seen = [
        path
        for path in sys.path
        if os.path.isdir(path)
        and path not in standard
        and not path.endswith("lib-dynload")
        and Path(path).resolve() not in ((without, without / "plugins") if without else ())
    ]
    (environment.site_packages / "tests_own.pth").write_text("\n".join(seen) + "\n")
    return environment
