"""What every command must do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any, ClassVar

import click
import pytest
from click.testing import CliRunner

from harness.plugging.plugins import Plugins
from harness.plugging.registry import Registration

#: What takes a second or more to import: a command loads it when it works and not before.
HEAVY = ("torch", "transformers", "vllm", "verl", "datasets")


class CommandConformance:
    """Subclass with the registered name."""

    name: ClassVar[str]
    #: Arguments of a call that ends well and changes nothing outside the folder that it is run in; None
    #: tries its help alone.
    arguments: ClassVar[Sequence[str] | None] = None

    @pytest.fixture
    def registration(self, harness_plugins: Plugins) -> Registration:
        return harness_plugins.registry.find("commands", self.name)

    @pytest.fixture
    def command(self, registration: Registration) -> click.Command:
        made: Any = registration.load()
        assert isinstance(made, click.Command), f"{registration.target} is no click.Command: {made!r}"
        return made

    def test_it_explains_itself(self, command: click.Command, registration: Registration) -> None:
        assert registration.summary, "it has no summary, which `harness --help` shows"
        done = CliRunner().invoke(command, ["--help"])
        assert done.exit_code == 0, done.output
        assert (command.help or "").strip(), "it has no help text: give its function a docstring"

    def test_what_it_does_not_know_is_refused(self, command: click.Command) -> None:
        done = CliRunner().invoke(command, ["--no-such-option"])
        assert done.exit_code == 2, f"exit code {done.exit_code} for an unknown option; allowed: 2"
        assert "no-such-option" in done.output, f"it does not name the unknown option: {done.output}"

    def test_it_does_its_work(self, command: click.Command) -> None:
        if self.arguments is None:
            pytest.skip("the suite was given no call to try (`arguments`)")
        runner = CliRunner()
        with runner.isolated_filesystem():
            done = runner.invoke(command, list(self.arguments), standalone_mode=False)
        assert done.exception is None, f"{done.output}\n{done.exception!r}"

    def test_importing_it_is_cheap(self, registration: Registration) -> None:
        module = registration.target.partition(":")[0]
        code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        loaded = done.stdout.strip().splitlines()[-1]
        assert loaded == "[]", f"importing {module} also imports {loaded}: import them inside the functions"
