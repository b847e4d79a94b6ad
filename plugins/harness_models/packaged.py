"""Loader `packaged`: `model.name` is a folder below `models/` of an installed package.

How a plugin ships small weights: nothing is downloaded and nothing is copied.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

from harness_transformers.weights import describe

from harness.contract import BuildContext, DataError, ModelFiles, near
from harness.recipe import Model

_FOLDER: Final = "models"


class PackagedOptions(Model):
    """Which installed package holds the model."""

    package: str = "harness_torch"
    """Import name of the package; the model is the folder `models/<name>` in it."""


class Packaged:
    """Describes the folder where it lies."""

    def __init__(self, options: PackagedOptions, context: BuildContext) -> None:
        self._package, self._name = options.package, context.model
        self._context_length = context.context_length

    def load(self) -> ModelFiles:
        """Describe the model; raises DataError if the package or the model is not there."""
        spec = importlib.util.find_spec(self._package.partition(".")[0])
        roots = [] if spec is None else [Path(root) for root in spec.submodule_search_locations or ()]
        if not roots:
            raise DataError(f"no package {self._package!r} is installed", where="loader 'packaged'")
        inside = self._package.split(".")[1:]
        folders = [root.joinpath(*inside, _FOLDER) for root in roots]
        shipped = {
            path.parent.name: path.parent for folder in folders for path in folder.glob("*/config.json")
        }
        if self._name not in shipped:
            raise DataError(
                f"package {self._package!r} ships no model {self._name!r}",
                where="loader 'packaged'",
                allowed=near(self._name, shipped),
            )
        return describe(shipped[self._name], context_length=self._context_length)
