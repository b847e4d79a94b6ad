"""What every reporter must do, tried on a finished study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness.contract.protocols import ReportContext, Reported
from harness.plugging.plugins import Plugins
from harness.testing.plugin import Build
from harness.testing.refusing import refusal
from harness.testing.small_study import small_study


class ReporterConformance:
    """Subclass with the registered name and options."""

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    #: Whether it writes files; one that sends messages may write none.
    writes: ClassVar[bool] = True

    @pytest.fixture
    def study(
        self, harness_plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> ReportContext:
        """A finished study of two arms and two seeds."""
        monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
        return small_study(tmp_path / "study", harness_plugins)

    def report(self, build: Build, context: ReportContext) -> Reported:
        reported = build("reporters", self.name, **self.options).report(context)
        assert isinstance(reported, Reported), f"report returned {type(reported).__name__}; allowed: Reported"
        return reported

    @staticmethod
    def contents(context: ReportContext) -> dict[Path, bytes]:
        """Every file below the study's folder."""
        return {path: path.read_bytes() for path in sorted(context.folder.rglob("*")) if path.is_file()}

    def test_what_it_says_it_wrote_is_there(self, harness_build: Build, study: ReportContext) -> None:
        reported = self.report(harness_build, study)
        assert reported.files or not self.writes, f"it wrote nothing; it says: {list(reported.lines)}"
        for path in reported.files:
            assert path.is_file(), f"it says that it wrote {path}, which is not there"
            assert path.stat().st_size, f"{path} is empty"
        assert all(isinstance(line, str) for line in reported.lines), reported.lines

    def test_the_record_stays_as_it_was(self, harness_build: Build, study: ReportContext) -> None:
        before = self.contents(study)
        self.report(harness_build, study)
        after = self.contents(study)
        changed = [str(path) for path in before if after.get(path) != before[path]]
        assert not changed, f"it changed what is not its own: {changed}"

    def test_it_can_be_made_again(self, harness_build: Build, study: ReportContext) -> None:
        """A resumed study is reported again, into the same files."""
        first = self.report(harness_build, study)
        again = self.report(harness_build, study)
        assert list(again.files) == list(first.files), "the second report went into other files"

    def test_a_study_without_a_finished_run_is_no_crash(
        self, harness_build: Build, harness_plugins: Plugins, tmp_path: Path
    ) -> None:
        """It says that there is nothing yet, in a line or a named error."""
        study = small_study(tmp_path / "empty", harness_plugins, finished=False)
        reports: list[Reported] = []
        error = refusal(lambda: reports.append(self.report(harness_build, study)))
        said = bool(error) or any(reported.files or reported.lines for reported in reports)
        assert said, "it says nothing about a study without a finished run"

    def test_leaderboards_are_left_alone_unless_given(
        self, harness_build: Build, study: ReportContext
    ) -> None:
        assert study.leaderboards is not None
        self.report(harness_build, replace(study, leaderboards=None))
        assert not study.leaderboards.exists(), "it wrote a leaderboard that the recipe does not name"
