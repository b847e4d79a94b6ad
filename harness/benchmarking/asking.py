"""What a model's name means to an engine: what is loaded, and what servers call it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.contract.capabilities import EngineCapabilities
from harness.contract.errors import RecipeError
from harness.plugging.registry import Registration


def named(model: str, settings: Mapping[str, Any], engine: Registration) -> dict[str, Any]:
    """An engine's options with the name under which its servers serve the model; raises RecipeError if
    they say another."""
    option = engine.able(EngineCapabilities).served
    if not option:
        return dict(settings)
    if settings.get(option, model) != model:
        raise RecipeError(
            f"is {settings[option]!r}, and MODEL is {model!r}: MODEL is the name that the servers give it",
            where=f"--set {option}",
            hint=f"harness eval {settings[option]}, without --set {option}",
        )
    return {**settings, option: model}


def loader_of(model: str, name: str | None, weights: bool) -> dict[str, Any]:
    """The loader of a model with its name; {} for an engine that loads no weights of ours."""
    if name is None and not weights:
        return {}
    return {"name": name or ("gguf" if model.endswith(".gguf") else "folder")}
