"""Where tensors live and how many threads compute."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import torch

from harness.contract import EngineError


def resolve_device(name: str) -> torch.device:
    """`auto` is CUDA if there is one.

    Raises:
        EngineError: `cuda` if torch sees none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise EngineError("device 'cuda' was asked for, but torch sees none", allowed="cpu, auto")
    return torch.device(name)


def set_threads(count: int | None) -> None:
    """Bound torch's threads in this process; None leaves them."""
    if count is not None and torch.get_num_threads() != count:
        torch.set_num_threads(count)


@cache
def compiles() -> bool:
    """Whether numba is there (the extra `fast`), which compiles `kernels.py`."""
    return find_spec("numba") is not None
