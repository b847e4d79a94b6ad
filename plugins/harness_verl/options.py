"""Options of the trainer `verl`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from harness.recipe.fields import Seconds
from harness.recipe.stage import Count, Kind, Model, Plugin
from harness_verl.settings import collision


def _none_of_ours(overrides: tuple[str, ...]) -> tuple[str, ...]:
    for override in overrides:
        if "=" not in override and not override.startswith("~"):
            raise ValueError(f"{override!r} is no override of verl's: key=value, +key=value or ~key")
        collision(override)
    return overrides


class VerlOptions(Model):
    """Where verl lives and how long it may take. What is None is taken from the recipe."""

    #: Interpreter of the environment that has verl; None for `resources.python`, else the variable
    #: HARNESS_VERL_PYTHON, else this one. `~` and `$NAME` are expanded.
    python: str | None = None
    #: verl's own settings, as its command line takes them: `trainer.logger=[console,wandb]`, `+new.key=1`,
    #: `model_engine=megatron`. A key that the recipe decides is refused.
    overrides: Annotated[tuple[str, ...], AfterValidator(_none_of_ours)] = ()
    #: A running Ray cluster (`auto`, or `host:port`); None starts Ray on this machine for each stage.
    ray_address: str | None = None
    #: Interface that reward workers reach this process by; None for this machine alone, or, with a
    #: `ray_address`, for all and the address on the way to the cluster's head.
    listen: str | None = None
    #: Measures and evaluates between stages; None for `transformers` on a CPU and `vllm`, under verl's
    #: interpreter, on GPUs.
    engine: Annotated[Plugin | None, Kind("engines")] = None
    #: Rows (prompt and completion) of one forward and backward pass.
    micro_batch: Count = 8
    #: Environment variables of the job.
    environment: dict[str, str] = Field(default_factory=dict)
    #: Longest start of a job, up to its first task; `resources.stall_seconds` counts from there on.
    start_seconds: Seconds = 1800.0
    #: verl's reward workers wait so long for a verdict, then log a sample as unjudged. What is trained on is
    #: the driver's verdict, whenever it comes: verifiers have limits of time of their own.
    reward_seconds: Seconds = 900.0
