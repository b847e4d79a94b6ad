"""Published ways to train on stored groups once more, with tasks drawn uniformly."""

from harness import hookimpl
from harness.plugging import Register

HARNESS_API = (2, 0)
HARNESS_CODE = ("harness_curricula",)


@hookimpl
def register_curricula(register: Register) -> None:
    for name, target, options, summary in (
        ("repo", "repo:RePo", "RePoOptions", "earlier samples of a task join when it comes again"),
        (
            "exgrpo",
            "exgrpo:ExGrpo",
            "ExGrpoOptions",
            "stored groups near a pass rate of one half, the surest first",
        ),
    ):
        register(
            name,
            f"harness_replay.{target}",
            options=f"harness_replay.options:{options}",
            capabilities={"online": True, "replay": True},
            summary=summary,
        )
