"""What identifies a model on disk: the hash of its weights, and the numbers its config declares."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from harness.contract import DataError, ModelFiles, Policy

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
#: Names under which configs declare the longest sequence.
_CONTEXT = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")


def weights_sha(folder: Path) -> str:
    """Content hash (16 hex digits) of the weight files, in the order of their names.

    Raises:
        DataError: the folder has no weights.
    """
    files = next((matches for pattern in _WEIGHTS if (matches := sorted(folder.glob(pattern)))), [])
    if not files:
        raise DataError("has no weight file", where=str(folder), allowed=", ".join(_WEIGHTS))
    sha = hashlib.blake2b(digest_size=8)
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                sha.update(block)
    return sha.hexdigest()


def check_weights(policy: Policy) -> None:
    """Compare the weights of a run's checkpoint with the hash that the run recorded of them; others, such as
    a base model, are what the run's identity is about.

    Raises:
        DataError: the weights have changed since, or there are none.
    """
    if policy.checkpoint is None:
        return
    folder, recorded = policy.files.path, policy.ref.weights_sha
    if (sha := weights_sha(folder)) != recorded:
        raise DataError(
            f"the checkpoint's weights have changed: their hash is {sha}, and the run recorded {recorded}",
            where=str(folder), hint="restore the folder, or start a new run",
        )  # fmt: skip


def describe(folder: Path, *, context_length: int | None = None) -> ModelFiles:
    """A transformers folder as `ModelFiles`, without opening the model.

    Raises:
        DataError: no config, no weights, or no declared context length and none given.
    """
    config = _json(folder / "config.json")
    if config is None:
        inner = folder / "model"  # a checkpoint of a run holds the model beside the trainer's state
        hint = f"did you mean {inner}?" if (inner / "config.json").is_file() else ""
        raise DataError(
            "has no config.json", where=str(folder), hint=hint or "name a folder that save_pretrained made"
        )
    text = config.get("text_config", {})
    declared = next((v for key in _CONTEXT if (v := config.get(key) or text.get(key))), None)
    context = context_length or declared
    if context is None:
        raise DataError(
            "its config declares no context length", where=str(folder), hint="set model.context_length"
        )
    tokenizer = _json(folder / "tokenizer_config.json") or {}
    chat = bool(tokenizer.get("chat_template")) or any(
        (folder / name).exists() for name in ("chat_template.jinja", "chat_template.json")
    )
    return ModelFiles(path=folder, weights_sha=weights_sha(folder), context_length=int(context), chat=chat)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DataError(f"not JSON: {error}", where=str(path)) from None
    return content
