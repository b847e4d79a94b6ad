"""The launcher that needs no plugin is one like the others."""

from __future__ import annotations

from harness.contract.launching import Launcher
from harness.running.launching import LOCAL, LocalLauncher
from harness.testing import LauncherConformance
from harness.testing.plugin import Build


class TestLocal(LauncherConformance):
    name = LOCAL

    def launcher(self, build: Build) -> Launcher:
        return LocalLauncher()
