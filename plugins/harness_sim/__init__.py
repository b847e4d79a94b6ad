"""A SIMULATION, not training: a student with one ability meets items of known difficulty.

It makes curricula, stages, gates, budgets, kills and resumes testable in seconds. Its numbers say
something about policies of selection under item response theory, nothing about any language model.
"""

from harness import hookimpl
from harness.plugging import Register


@hookimpl
def register_trainers(register: Register) -> None:
    register(
        "sim",
        "harness_sim.trainer:SimTrainer",
        options="harness_sim.options:SimTrainerOptions",
        capabilities={
            "simulated": True,
            "kinds": ["rl"],
            "losses": ["mask_truncated"],
            # A student without tokens has no top_p or top_k; one number needs no AdamW, and has no moments.
            "sampling": ["temperature"],
            "optimizer": ["max_grad_norm", "warmup_steps", "reset"],
            "curriculum_granularity": "step",
            "dynamic_sampling": True,
            "in_stage_evaluation": True,
            "resume": True,
            "engine": True,
            "transformers_checkpoint": False,
            "devices": ["cpu"],
            "precisions": ["fp32"],
        },
        summary="SIMULATION: a student of item response theory learns from mixed groups; no model",
    )


@hookimpl
def register_engines(register: Register) -> None:
    register(
        "sim",
        "harness_sim.engine:SimEngine",
        capabilities={"simulated": True},
        summary="SIMULATION: answers of the student of trainer 'sim'",
    )


@hookimpl
def register_models(register: Register) -> None:
    register(
        "sim",
        "harness_sim.student:StudentLoader",
        options="harness_sim.options:StudentOptions",
        capabilities={"simulated": True, "local": True},
        summary="SIMULATION: a student (sim.json) instead of a transformers model",
    )


@hookimpl
def register_task_sources(register: Register) -> None:
    register(
        "sim-irt",
        "harness_sim.source:SimIrt",
        options="harness_sim.options:SimIrtOptions",
        capabilities={"simulated": True},
        summary="SIMULATION: items with known difficulty and discrimination, as strata or as a finite set",
    )
    register(
        "sim-rates",
        "harness_sim.rates:SimRates",
        options="harness_sim.options:SimRatesOptions",
        capabilities={"simulated": True},
        summary="SIMULATION: items as difficult as real problems, by published pass rates",
    )
