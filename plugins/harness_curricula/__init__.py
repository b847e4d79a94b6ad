"""Which tasks come next, which groups count, and how their rewards are shaped."""

from harness import hookimpl
from harness.plugging import Register

PUBLIC = ("drawing", "evidence", "index", "learnability", "options", "sharing", "values")


@hookimpl
def register_curricula(register: Register) -> None:
    register(
        "uniform",
        "harness_curricula.uniform:Uniform",
        summary="every subject alike, each once per epoch",
    )
    register(
        "staged",
        "harness_curricula.staged:Staged",
        options="harness_curricula.options:StagedOptions",
        capabilities={"needs_labels": True},
        summary="by measured difficulty, easy to hard; exits on a plateau or on mastery",
    )
    register(
        "frozen-filter",
        "harness_curricula.frozen:FrozenFilter",
        options="harness_curricula.options:FrozenFilterOptions",
        capabilities={"needs_labels": True},
        summary="control: for the whole run, the subjects that its first labels picked",
    )
    register(
        "learnability",
        "harness_curricula.learnability:Learnability",
        options="harness_curricula.options:LearnabilityOptions",
        capabilities={"online": True},
        summary="online: Thompson draws of p(1 - p) from a decayed Beta posterior",
    )


@hookimpl
def register_gates(register: Register) -> None:
    register(
        "mixed-outcomes",
        "harness_curricula.mixed_outcomes:MixedOutcomes",
        options="harness_curricula.options:MixedOutcomesOptions",
        summary="dynamic sampling (DAPO): only groups whose rewards differ reach the loss",
    )


@hookimpl
def register_shapers(register: Register) -> None:
    register(
        "length-penalty",
        "harness_curricula.length_penalty:LengthPenalty",
        options="harness_curricula.options:LengthPenaltyOptions",
        summary="right answers cost their length, the more so the easier the task",
    )
