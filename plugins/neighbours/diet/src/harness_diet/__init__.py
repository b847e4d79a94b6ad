"""Length penalties by the policy's own measured difficulty: DIET (arXiv 2505.19217), DiPO (arXiv
2601.21418)."""

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_shapers(register: Register) -> None:
    register(
        "diet",
        "harness_diet.diet:Diet",
        options="harness_diet.options:DietOptions",
        summary="length penalty on advantages, normalised apart from the outcome's",
    )
    register(
        "dipo",
        "harness_diet.dipo:Dipo",
        options="harness_diet.options:DipoOptions",
        summary="length penalty on rewards",
    )


@hookimpl
def register_task_sources(register: Register) -> None:
    register(
        "worked-chain",
        "harness_diet.worked:WorkedChain",
        options="harness_diet.worked:WorkedChainOptions",
        summary="chains whose right answers are long or short",
    )


@hookimpl
def register_reporters(register: Register) -> None:
    register(
        "tokens-saved",
        "harness_diet.saved:TokensSaved",
        options="harness_diet.options:TokensSavedOptions",
        summary="tokens per answer beside the pass rate, against the first arm, over seeds",
    )
