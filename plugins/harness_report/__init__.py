"""What is made of a finished study: a page that explains it, and leaderboard entries."""

from harness import hookimpl

PUBLIC = ("charts", "pictures")


@hookimpl
def register_reporters(register):  # type: ignore[no-untyped-def]
    register(
        "page",
        "harness_report.page:PageReporter",
        options="harness_report.options:StudyPageOptions",
        summary="report/index.html: arms compared, curves, difficulty, costs; a page of samples per run",
    )
    register(
        "markdown",
        "harness_report.markdown:MarkdownReporter",
        options="harness_report.options:PageOptions",
        summary="report/results.md: scores, first passages, costs and differences as tables",
    )
    register(
        "leaderboard",
        "harness_report.leaderboard:LeaderboardReporter",
        options="harness_report.options:LeaderboardOptions",
        summary="entries for the leaderboards, and their site",
    )
