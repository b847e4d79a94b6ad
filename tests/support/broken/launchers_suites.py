"""The suite of each plugin in launchers.py."""

from harness.testing import LauncherConformance


class TestWhole(LauncherConformance):
    name = "local/Whole"


class TestIdle(LauncherConformance):
    name = "local/Idle"


class TestCutting(LauncherConformance):
    name = "local/Cutting"


class TestTwice(LauncherConformance):
    name = "local/Twice"


class TestPraising(LauncherConformance):
    name = "local/Praising"


class TestHasty(LauncherConformance):
    name = "local/Hasty"


class TestLoose(LauncherConformance):
    name = "local/Loose"
    patience = 5.0


class TestVague(LauncherConformance):
    name = "local/Vague"
