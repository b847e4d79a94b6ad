"""Which model the KL term is taken against."""

from __future__ import annotations

from pathlib import Path

from harness.contract import BuildContext, TrainingError


def reference_folder(told: str | None, context: BuildContext, origin: Path) -> Path:
    """Folder of the reference model: the run's initial policy unless the options name another.

    Args:
        told: the trainer's option `reference`, relative to the recipe.
        context: names the initial policy, which a resumed run never loads to train on.
        origin: where the weights in training came from first, for trainers used without a run.

    Raises:
        TrainingError: it is not there.
    """
    path = context.initial.path if context.initial is not None else origin
    if told:
        path = context.base / Path(told).expanduser()
    if not path.is_dir():
        raise TrainingError(
            "the reference model of the KL term is not there",
            where=str(path),
            hint="name one with the trainer's option 'reference', or set loss.kl = 0",
        )
    return path
