"""Options of the trainer `verl`."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from harness.contract import kind
from harness.recipe import Count, Model, Plugin, Seconds
from harness_verl.settings import collision


def _none_of_ours(overrides: tuple[str, ...]) -> tuple[str, ...]:
    for override in overrides:
        if "=" not in override and not override.startswith("~"):
            raise ValueError(f"{override!r} is not an override of verl: write key=value, +key=value or ~key")
        collision(override)
    return overrides


class VerlOptions(Model):
    """Where verl is installed, how it is started, and how long it may take. Options that are not set are
    taken from the recipe."""

    python: str | None = None
    """Python interpreter of the environment that has verl; `~` and `$NAME` are expanded. If not set,
    `resources.python` of the recipe, then the environment variable HARNESS_VERL_PYTHON, then this
    interpreter."""
    overrides: Annotated[tuple[str, ...], AfterValidator(_none_of_ours)] = ()
    """verl's own settings, as its command line takes them: `trainer.logger=[console,wandb]`, `+new.key=1`,
    `~old.key`, `model_engine=megatron`. A key that the recipe decides is refused."""
    ray_address: str | None = None
    """A running Ray cluster: `auto`, or `host:port`. If not set, each job starts Ray on this machine."""
    listen: str | None = None
    """Network interface, by its address, on which verl's reward workers reach this process. If not set,
    this machine only; with a `ray_address`, all interfaces."""
    keep_job: bool | None = None
    """Whether a job goes on with the next stage. False ends it after each stage, so that memory and devices
    are free between them, for an engine of the recipe's own on the same GPUs. If not set, it goes on unless
    `engine` is named."""
    engine: Annotated[Plugin | None, kind("engines")] = None
    """Plugin of kind `engines` that measures and evaluates between stages. If not set, the rollout servers of
    the job that waits; before the first stage `transformers` on a CPU, and on GPUs `vllm` under verl's
    interpreter."""
    micro_batch: Count = 8
    """Rows (prompt plus completion) of one forward and backward pass."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Environment variables of verl's processes, by name."""
    start_seconds: Seconds = 1800.0
    """Longest time, in seconds, from a job's start to its first task. `resources.stall_seconds` counts from
    there on."""
    reward_seconds: Seconds = 900.0
    """Seconds that verl's reward workers wait for a verdict. After that they log the sample as unjudged and
    go on; training still uses the driver's verdict, whenever it comes."""
