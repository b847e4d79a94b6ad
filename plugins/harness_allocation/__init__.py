"""Published curricula that decide how many samples a task gets, in one phase or in several."""

from harness import hookimpl
from harness.plugging import Register

HARNESS_API = (2, 0)
HARNESS_CODE = ("harness_curricula",)

#: Name, module and class, options, summary.
_ALL = (
    ("speed", "speed:Speed", "SpeedOptions", "small pilots; the rest only if they have passes and fails"),
    (
        "pilot-commit",
        "pilot_commit:PilotCommit",
        "PilotCommitOptions",
        "commits to pilots of medium pass rate",
    ),
    ("knapsack", "knapsack:Knapsack", "KnapsackOptions", "shares samples out by the value of a mixed group"),
    (
        "reinforce-ada",
        "reinforce_ada:ReinforceAda",
        "ReinforceAdaOptions",
        "rounds until passes and fails suffice",
    ),
    ("dars", "dars:Dars", "DarsOptions", "further samples of hard tasks, by their cumulative advantage"),
    ("hora", "hora:Hora", "HoraOptions", "shares samples out by the posterior chance of a pass"),
    (
        "learnability-pilot",
        "learnability_pilot:LearnabilityPilot",
        "LearnabilityPilotOptions",
        "online learnability, with pilots if the posterior is hopeless or mastered",
    ),
)


@hookimpl
def register_curricula(register: Register) -> None:
    for name, target, options, summary in _ALL:
        register(
            name,
            f"harness_allocation.{target}",
            options=f"harness_allocation.options:{options}",
            capabilities={"online": True, "group_sizes": True},
            summary=summary,
        )
