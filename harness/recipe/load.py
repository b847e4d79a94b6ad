"""Reading a recipe: TOML, `--set` overrides, arms."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contract.errors import UNPARSABLE, RecipeError, near
from harness.contract.records import digest
from harness.recipe.errors import validated
from harness.recipe.models import Arm, Recipe
from harness.recipe.references import spelled_out


@dataclass(frozen=True, slots=True)
class RecipeFile:
    """A recipe with where it came from; paths in it are relative to its folder."""

    path: Path
    recipe: Recipe
    #: The values after overrides, before defaults.
    values: Mapping[str, Any]

    @property
    def sha(self) -> str:
        """Hash of what the recipe says, defaults included, without comments and without the launcher."""
        return digest(self.recipe.model_dump(mode="json", exclude={"launcher"}))

    def arms(self) -> list[tuple[Arm, Recipe]]:
        """Each arm as a recipe of its own; the recipe itself is the arm `main` when it declares none.

        Raises:
            RecipeError: an arm's values do not fit, or it sets the launcher, which is the study's.
        """
        if not self.recipe.arms:
            return [(Arm(name="main"), self.recipe)]
        out = []
        base = spelled_out(Recipe, self.values)
        for i, arm in enumerate(self.recipe.arms):
            if "launcher" in arm.set:
                raise RecipeError(
                    f"arm {arm.name!r} has a launcher of its own, and all runs of a study are started alike",
                    where=f"{self.path}: arms.{i}.set.launcher", hint="give the recipe the launcher",
                )  # fmt: skip
            values = {k: v for k, v in merged(base, arm.set).items() if k != "arms"}
            out.append((arm, validated(Recipe, values, where=f"{self.path}, arm {arm.name!r}")))
        return out


def load_recipe(path: Path, overrides: Iterable[str] = ()) -> RecipeFile:
    """Read and validate a recipe.

    Args:
        path: a TOML file.
        overrides: `--set` values such as `stages.0.rollout.n=16`.

    Raises:
        RecipeError: names file, field, value and what was allowed.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        siblings = (
            near(path.name, (p.name for p in path.parent.glob("*.toml"))) if path.parent.is_dir() else ""
        )
        raise RecipeError("no such recipe", where=str(path), allowed=siblings) from None
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror}", where=str(path)) from None
    except UNPARSABLE as error:
        raise RecipeError(f"not TOML: {error}", where=str(path)) from None
    for override in overrides:
        values = override_value(values, override)
    file = RecipeFile(path, validated(Recipe, values, where=str(path)), values)
    file.arms()
    return file


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid on `base`: tables merge, everything else replaces."""
    out = copy.deepcopy(dict(base))
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(out.get(key), Mapping):
            out[key] = merged(out[key], value)
        else:
            out[key] = copy.deepcopy(value)
    return out


def override_value(values: Mapping[str, Any], override: str) -> dict[str, Any]:
    """`values` with one `path=value` applied; the value is TOML, or else a plain string."""
    path, equals, text = override.partition("=")
    if not equals or not path.strip():
        raise RecipeError(f"{override!r} is not of the form path=value", where="--set")
    try:
        value = tomllib.loads(f"v = {text}")["v"]
    except UNPARSABLE:
        value = text
    out = copy.deepcopy(dict(values))
    here: Any = out
    parts = path.strip().split(".")
    for i, part in enumerate(parts):
        last = i == len(parts) - 1
        if isinstance(here, list):
            if not part.isdigit() or int(part) >= len(here):
                raise RecipeError(
                    f"{override!r}: {'.'.join(parts[:i])} has entries 0 to {len(here) - 1}, not {part!r}",
                    where="--set",
                )
            key: Any = int(part)
        elif isinstance(here, dict):
            key = part
            if not last and not isinstance(here.get(part), dict | list):
                # A plugin written as a bare name grows options: trainer = "torch" -> trainer.lr = 1
                here[part] = {"name": here[part]} if isinstance(here.get(part), str) else {}
        else:
            raise RecipeError(f"{override!r}: {'.'.join(parts[:i])} is not a table", where="--set")
        if last:
            here[key] = value
        else:
            here = here[key]
    return out
