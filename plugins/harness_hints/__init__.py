"""Hints: tasks that show a share of their solution, and published curricula that choose how much to show."""

from harness import hookimpl
from harness.plugging import Register

HARNESS_API = (2, 0)
HARNESS_CODE = ("harness_curricula",)


@hookimpl
def register_task_sources(register: Register) -> None:
    register(
        "hinted",
        "harness_hints.source:Hinted",
        options="harness_hints.options:HintedOptions",
        summary="another source's tasks, and beside each the same with a share of its solution shown",
    )


@hookimpl
def register_curricula(register: Register) -> None:
    register(
        "questa",
        "harness_hints.questa:QuestA",
        options="harness_hints.options:QuestAOptions",
        capabilities={"online": True},
        summary="planned: shares of the solution that shrink stage by stage",
    )
    register(
        "seele",
        "harness_hints.seele:Seele",
        options="harness_hints.options:SeeleOptions",
        capabilities={"online": True},
        summary="per subject, the share of the solution at which the pass rate should be one half",
    )
