"""By what the answers of maj@k are counted: what they mean to their verifier, or how they are written."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable

from harness.contract.capabilities import VerifierCapabilities
from harness.contract.errors import PluginError
from harness.plugging.plugins import Plugins
from harness.recipe.stage import Use

Same = Callable[[str, str], bool]


def comparisons(uses: Iterable[Use], plugins: Plugins, votes: str) -> dict[str, Same]:
    """Each verifier's comparison of two answers, by its name; those without one count texts.

    Args:
        votes: the profile's choice, `meaning` or `text`.

    Raises:
        PluginError: the function that a registration names cannot be had.
    """
    if votes == "text":
        return {}
    out: dict[str, Same] = {}
    for use in uses:
        registration = plugins.registry.find("verifiers", use.name, where="verifier")
        target = registration.able(VerifierCapabilities).same_answer
        if target:
            out[use.name] = _function(target, registration.where)
    return out


def _function(target: str, where: str) -> Same:
    module, _, name = target.partition(":")
    try:
        function: Same = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"its same_answer {target!r} cannot be had: {error}", where=where) from error
    return function
