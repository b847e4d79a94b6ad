"""Reporter `leaderboard`: an entry for each arm and held-out set, then the site built anew."""

from __future__ import annotations

from harness.board.build import entries
from harness.board.check import check_entry
from harness.board.folder import ensure_board, write_entry
from harness.board.site import build_site
from harness.contract import BuildContext, DataError, ReportContext, Reported
from harness.readout import read_study
from harness_report.findings import absence
from harness_report.options import LeaderboardOptions


class LeaderboardReporter:
    """Writes entries to the leaderboards' folder and rebuilds its site; nothing without a folder."""

    def __init__(self, options: LeaderboardOptions | None, context: BuildContext | None = None) -> None:
        self.options = options or LeaderboardOptions()

    def report(self, context: ReportContext) -> Reported:
        """Write the entries.

        Raises:
            DataError: an entry would be refused; none is written then.
        """
        if context.leaderboards is None:
            return Reported([])
        study = read_study(context.folder)
        if why := absence(study):
            return Reported([], [why])
        board = self.options.board or study.recipe
        made = entries(study, board)
        faults = [fault for entry in made for fault in check_entry(entry, entry.label)]
        if faults:
            more = f"\n  and {len(faults) - 5} more" if len(faults) > 5 else ""
            raise DataError(
                "not fit for a leaderboard:\n  " + "\n  ".join(map(str, faults[:5])) + more,
                where=str(context.folder),
            )
        folder = context.leaderboards / board
        ensure_board(folder, study.recipe, study.text, made)
        written = [write_entry(folder, entry) for entry in made]
        out = context.leaderboards / self.options.site
        # The index and the boards' pages, which lead to all others.
        site = [path for path in build_site(context.leaderboards, out) if path.parent == out]
        page = next(path for path in site if path.stem == board)
        return Reported([*written, *site], [f"Leaderboard: {page}"])
