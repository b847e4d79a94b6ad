"""What a stage begins with: a policy and its past, as verl sees them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness_transformers.weights import check_weights

from harness.contract import BuildContext, Policy
from harness.recipe import Stage
from harness_verl import checkpoint, lora


@dataclass(frozen=True, slots=True)
class Start:
    """Folders that a job opens."""

    model: Path
    context_length: int
    #: verl's own checkpoint inside the stage to resume from.
    resume: Path | None = None
    #: verl's checkpoint of the stage before, for the optimizer's moments.
    optimizer: Path | None = None
    #: The reference model of KL terms, if it is not the base of an adapter.
    reference: Path | None = None
    #: Under LoRA: the adapter, of which `model` is the base.
    adapter: Path | None = None


def start_of(stage: Stage, policy: Policy, context: BuildContext, first_step: int, where: str) -> Start:
    """What to begin with.

    Raises:
        TrainingError: verl's checkpoint does not fit the number of workers.
        DataError: the weights of the policy's checkpoint have changed.
    """
    check_weights(policy)
    folder = checkpoint.state(policy.checkpoint)
    if folder is not None:
        resources = context.resources
        checkpoint.check_workers(folder, resources.nodes * (resources.gpus_per_node or 1), where=where)
    initial = context.initial.path if context.initial is not None else policy.files.path
    adapter = None
    if context.lora is not None:
        adapter = lora.adapter_of(policy, initial, context)
    # Of every stage, be there a KL term or not: a job may do one after the other.
    reference = initial if adapter is None else None
    resumed = first_step > 0
    return Start(
        (policy.files.path if adapter is None else initial).resolve(),
        policy.files.context_length,
        resume=folder.resolve() if folder and resumed else None,
        optimizer=folder.resolve() if folder and not resumed and not stage.optimizer.reset else None,
        reference=reference.resolve() if reference else None,
        adapter=adapter.resolve() if adapter else None,
    )
