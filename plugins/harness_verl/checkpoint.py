"""From verl's checkpoint to a policy on disk, and back.

A checkpoint's folder holds `model/` (weights in fp32, with the tokenizer and the configuration of the
policy that the stage began with, never as verl's other versions write them) and `verl/`, from which verl
itself goes on: sharded weights, optimizer, random state.
"""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any, Final

from harness_transformers.network import MODEL
from harness_transformers.reading import reading
from harness_transformers.weights import weights_sha

from harness.contract import Policy, TrainingError

VERL: Final = "verl"
#: What belongs to a model besides its weights: configuration, tokenizer, chat template, code.
_BESIDE: Final = (".json", ".jinja", ".txt", ".model", ".py")
_INDEX: Final = ".safetensors.index.json"
#: The output layer, as transformers names it.
_HEAD: Final = "lm_head.weight"


def adopt(scratch: Path, policy: Policy, step: int, *, where: str) -> str:
    """Make `model/` of what verl left in `verl/global_step_<step>`; returns the hash of the weights.

    Raises:
        TrainingError: the export is not there, lacks a tensor of the policy's, or was rounded.
    """
    export = written(scratch, step) / "actor" / "huggingface"
    files = sorted(export.glob("*.safetensors"))
    if not files:
        raise TrainingError("verl exported no weights", where=f"{where}, {export}")
    _check(tensors(files), policy.files.path, where)
    model = scratch / MODEL
    model.mkdir()
    furnish(model, policy)
    for file in (*files, *export.glob(f"*{_INDEX}")):
        file.rename(model / file.name)
    shutil.rmtree(export)
    return weights_sha(model)


def written(scratch: Path, step: int) -> Path:
    """Where verl has left its checkpoint after a step."""
    return scratch / VERL / f"global_step_{step}"


def furnish(model: Path, policy: Policy) -> None:
    """Put what belongs to the policy besides its weights beside other weights."""
    for file in policy.files.path.iterdir():
        if file.suffix in _BESIDE and not file.name.endswith(_INDEX):
            shutil.copyfile(file, model / file.name)
    _declare_fp32(model / "config.json")


def state(checkpoint: Path | None) -> Path | None:
    """verl's own folder (`global_step_<n>`) in a checkpoint, None if another trainer made it."""
    folders = sorted((checkpoint / VERL).glob("global_step_*")) if checkpoint is not None else []
    return folders[-1] if folders else None


def check_workers(folder: Path, workers: int, *, where: str) -> None:
    """Raise TrainingError unless verl's state was written by as many workers as read it now."""
    written = len(list((folder / "actor").glob("model_world_size_*_rank_*.pt")))
    if written != workers:
        raise TrainingError(
            f"the checkpoint was written by {written} workers and would be read by {workers}",
            where=f"{where}, {folder}",
            hint="resume with the same resources.nodes and resources.gpus_per_node",
        )


def _declare_fp32(config: Path) -> None:
    """A base model is often declared bf16: what opens it by its word would round the weights."""
    values = json.loads(config.read_text())
    for part in (values, values.get("text_config", {})):
        for name in ("dtype", "torch_dtype"):
            if part.get(name, "float32") != "float32":
                part[name] = "float32"
    config.write_text(json.dumps(values, indent=2) + "\n")


def _check(exported: dict[str, Any], policy: Path, where: str) -> None:
    before = tensors(sorted(policy.glob("*.safetensors")))
    missing = sorted(name for name in before if name not in exported)
    if any(name.endswith(_HEAD) for name in missing) and _is_tied(policy):
        # It is the embeddings, and need not be written a second time.
        missing = [name for name in missing if not name.endswith(_HEAD)]
    if missing:
        raise TrainingError(
            f"verl's export lacks {len(missing)} tensors, such as {missing[0]!r}", where=where
        )
    for name, about in exported.items():
        if about["dtype"] != "F32":
            raise TrainingError(
                f"verl exported {name!r} as {about['dtype']}: small updates would be rounded away",
                where=where,
                hint="leave actor_rollout_ref.actor.fsdp_config.model_dtype at fp32",
            )
        if name in before and before[name]["shape"] != about["shape"]:
            raise TrainingError(
                f"verl exported {name!r} with shape {about['shape']}, the policy has {before[name]['shape']}",
                where=where,
            )


def _is_tied(policy: Path) -> bool:
    """Whether the output layer shares its weights with the embeddings; configurations leave the default
    of their architecture out."""
    from transformers import AutoConfig

    with reading("the configuration", policy):
        config = AutoConfig.from_pretrained(policy, local_files_only=True).get_text_config()
    return bool(config.tie_word_embeddings)


def tensors(files: list[Path]) -> dict[str, Any]:
    """Names, types and shapes in safetensors files, by their headers."""
    headers: dict[str, Any] = {}
    for file in files:
        with reading("the weights", file), file.open("rb") as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(size))
        headers |= {name: about for name, about in header.items() if name != "__metadata__"}
    return headers
