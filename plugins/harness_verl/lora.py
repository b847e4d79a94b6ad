"""Adapters on the driver's side: the one a run begins with, and the policy that one makes with its base."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from harness_transformers.lora import ADAPTER, begin, continues, merge
from harness_transformers.network import MODEL
from harness_transformers.weights import weights_sha

from harness.contract import BuildContext, Policy, TrainingError, digest
from harness_verl import checkpoint

_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def adapter_of(policy: Policy, base: Path, context: BuildContext) -> Path:
    """Folder of the policy's adapter; of a new one, the same for every trainer, if it has none yet.

    Raises:
        TrainingError: the policy's checkpoint has no adapter, or it is not the recipe's.
    """
    assert context.lora is not None
    if context.initial is None and policy.checkpoint is not None:
        raise TrainingError("an adapter's base model is not known", where="model.lora")
    if policy.checkpoint is not None:
        continues(policy.checkpoint / ADAPTER, context.lora)
        return policy.checkpoint / ADAPTER
    name = digest([policy.ref.weights_sha, context.lora.model_dump(mode="json"), context.seed])
    folder = context.cache / "adapters" / name
    if not (folder / _CONFIG).exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            begin(base, context.lora, Path(scratch) / name, seed=context.seed)
            try:
                (Path(scratch) / name).rename(folder)
            except OSError:
                # Arms that run side by side begin with the same one.
                if not (folder / _CONFIG).exists():
                    raise
    return folder


def adopt(scratch: Path, policy: Policy, step: int, *, base: Path, before: Path, where: str) -> str:
    """Make `adapter/` and `model/` of the adapter that verl left; returns the hash of the weights.

    Args:
        base: folder of the model that the adapter is for.
        before: folder of the adapter before.

    Raises:
        TrainingError: the export is not there, or its tensors are not those of the adapter before.
    """
    export = checkpoint.written(scratch, step) / ADAPTER
    if not (export / _WEIGHTS).exists():
        raise TrainingError("verl exported no adapter", where=f"{where}, {export}")
    now, was = (_shapes(folder / _WEIGHTS) for folder in (export, before))
    odd = sorted(name for name in now.keys() | was.keys() if now.get(name) != was.get(name))
    if odd:
        raise TrainingError(
            f"verl's adapter has {len(odd)} tensors of other names, types or shapes than before, "
            f"such as {odd[0]!r}",
            where=f"{where}, {export}",
        )
    export.rename(scratch / ADAPTER)
    shutil.copyfile(before / _CONFIG, scratch / ADAPTER / _CONFIG)
    merge(base, scratch / ADAPTER, scratch / MODEL)
    checkpoint.furnish(scratch / MODEL, policy)
    return weights_sha(scratch / MODEL)


def _shapes(file: Path) -> dict[str, Any]:
    return {name: (about["dtype"], about["shape"]) for name, about in checkpoint.tensors([file]).items()}
