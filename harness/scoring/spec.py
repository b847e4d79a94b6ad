"""A verifier as plain data: enough to rebuild it in any process.

Nothing of a verifier object ever travels. A worker gets the strings and numbers below, imports the
target and builds its own, so what judges is what the registration names, whoever asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.contract.capabilities import VerifierCapabilities
from harness.contract.errors import PluginError, near
from harness.contract.members import member
from harness.contract.protocols import BuildContext, Verifier
from harness.plugging.local import target_module
from harness.plugging.registry import Registration
from harness.support.folders import cache_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierSpec:
    """What a worker needs to build one verifier. Everything in it can be pickled."""

    #: The name that tasks use (`Task.verifier`).
    name: str
    #: `module:attribute` of the factory.
    target: str
    options: Mapping[str, Any] = field(default_factory=dict)
    #: `module:Model` of its pydantic options; None if it takes none.
    options_model: str | None = None
    #: Judge in the driver: for verifiers that are bounded by construction and cheap.
    in_process: bool = False
    #: Judge in the driver through `submit(task, rollout) -> Future[Verdict]`: for verifiers that run
    #: programs elsewhere, many at a time, under limits of their own.
    submits: bool = False
    #: A one-file plugin that holds the target's module, None for installed modules.
    file: str | None = None
    #: Modules imported once, before workers are made, so that a new worker is there at once.
    preload: tuple[str, ...] = ()
    #: Whether it reads token ids or log-probabilities; without, they stay in the driver.
    tokens: bool = False
    seed: int = 0
    cache: str = ""
    data: str | None = None

    @property
    def in_driver(self) -> bool:
        """Whether no worker process is needed."""
        return self.in_process or self.submits

    @classmethod
    def of(
        cls,
        registration: Registration,
        options: Mapping[str, Any] | None = None,
        *,
        context: BuildContext | None = None,
        file: Path | None = None,
    ) -> VerifierSpec:
        """The spec of a registered verifier; its capabilities give `in_process`, `preload`, `tokens`."""
        able = registration.able(VerifierCapabilities)
        return cls(
            name=registration.full_name,
            target=registration.target,
            options=dict(options or {}),
            options_model=registration.options,
            in_process=able.in_process,
            submits=able.submits,
            file=None if file is None else str(file),
            preload=able.preload,
            tokens=able.tokens,
            seed=0 if context is None else context.seed,
            cache="" if context is None else str(context.cache),
            data=None if context is None or context.data is None else str(context.data),
        )


def build(spec: VerifierSpec, specs: Mapping[str, VerifierSpec]) -> Verifier:
    """Build the verifier, unopened. `specs` are the others that a wrapper may ask for by name.

    Raises:
        PluginError: the target cannot be imported.
        RecipeError: an option does not fit.
    """
    factory = _attribute(spec.target, spec)
    options = _options(spec)
    verifier: Verifier = factory(options, _context(spec, specs))
    return verifier


def hash_of(verifier: object) -> str:
    """The hash a verifier puts on its verdicts: its attribute `hash`."""
    return str(member("verifiers", verifier, "hash"))


def _options(spec: VerifierSpec) -> Any:
    from harness.recipe.errors import refuse_options, validated

    where = f"verifier {spec.name!r}"
    if spec.options_model is None:
        if spec.options:
            refuse_options(spec.options, where=where)
        return None
    return validated(_attribute(spec.options_model, spec), spec.options, where=where)


def _context(spec: VerifierSpec, specs: Mapping[str, VerifierSpec]) -> BuildContext:
    def inner(kind: str, name: str, options: Mapping[str, Any], *, model: str = "") -> Any:
        if kind == "verifiers" and name in specs and not options:
            return build(specs[name], specs)
        from harness.plugging.plugins import load

        local = None if spec.file is None else Path(spec.file)
        return load(local=local).registry.find(kind, name).build(options, context.of_model(model))

    from harness.recipe import Resources

    context = BuildContext(
        seed=spec.seed,
        cache=Path(spec.cache) if spec.cache else cache_folder(),
        data=None if spec.data is None else Path(spec.data),
        build=inner,
        resources=Resources(),
    )
    return context


def _attribute(target: str, spec: VerifierSpec) -> Any:
    module_name, _, attribute = target.partition(":")
    where = f"verifier {spec.name!r}"
    try:
        module = target_module(module_name, spec.file or "")
    except ModuleNotFoundError as error:
        raise PluginError(f"its module {error.name!r} is not installed", where=where) from error
    if not hasattr(module, attribute):
        raise PluginError(
            f"{module_name!r} has no {attribute!r}", where=where, allowed=near(attribute, vars(module))
        )
    return getattr(module, attribute)
