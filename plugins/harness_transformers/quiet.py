"""Warnings that tell a user nothing."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without warnings about a field that transformers renamed, and TRL and PEFT use by its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`(is_)?gradient_checkpointing`", FutureWarning)
        yield
