"""What plugins registered, found by kind and name.

A registration is strings and plain values; its factory and its options model are imported only when
a plan builds it. First-party names are bare (`uniform`), everyone else's carry their distribution
(`staged-harness-foo/uniform`), a one-file plugin's beside the recipe are `local/...`.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from harness.errors import PluginError, UnknownName, near
from harness.local import target_module
from harness.requirements import missing_requirements

if TYPE_CHECKING:
    from pydantic import BaseModel

    from harness.protocols import BuildContext

#: Our own distribution, whose plugins' names are bare.
DISTRIBUTION: Final = "staged-harness"
LOCAL: Final = "local"

KINDS: Final = (
    "task_sources",
    "task_filters",
    "models",
    "benchmarks",
    "profiles",
    "verifiers",
    "sandboxes",
    "engines",
    "difficulty_estimators",
    "curricula",
    "gates",
    "shapers",
    "losses",
    "metrics",
    "trainers",
    "reporters",
    "commands",
)


@dataclass(frozen=True, slots=True)
class Registration:
    """One thing that one plugin offers."""

    kind: str
    name: str
    #: `module:attribute` of the factory.
    target: str
    plugin: str
    distribution: str
    version: str
    #: `module:Model` of its pydantic options; None when it takes none.
    options: str | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    #: The extra of its distribution that it needs installed.
    extra: str | None = None
    summary: str = ""
    #: File of a one-file plugin, which a worker process imports by this path; empty for installed ones.
    path: str = ""

    @property
    def full_name(self) -> str:
        """The name a recipe uses."""
        return self.name if self.distribution == DISTRIBUTION else f"{self.distribution}/{self.name}"

    @property
    def where(self) -> str:
        return (
            f"{self.kind} {self.full_name!r} (plugin {self.plugin!r} of {self.distribution} {self.version})"
        )

    def missing(self) -> list[str]:
        """Requirements of its extra that are not installed, or too old."""
        return missing_requirements(self.distribution, self.extra) if self.extra else []

    def install_line(self) -> str:
        return f"pip install '{self.distribution}[{self.extra}]'"

    def load(self) -> Any:
        """Import the factory."""
        return _load(self.target, self)

    def options_model(self) -> type[BaseModel] | None:
        """Import the options model."""
        return None if self.options is None else _load(self.options, self)

    def build(self, options: Mapping[str, Any], context: BuildContext, *, field_path: str = "") -> Any:
        """Validate the options and call the factory.

        Raises:
            RecipeError: an option is unknown or does not fit; `field_path` says where in the recipe.
            PluginError: the factory cannot be imported.
        """
        return self.load()(self.validate(options, field_path=field_path), context)

    def validate(self, options: Mapping[str, Any], *, field_path: str = "") -> Any:
        """The options as an instance of the plugin's model, None when it takes none."""
        from harness.recipe.errors import refuse_options, validated

        model = self.options_model()
        if model is None:
            if options:
                refuse_options(options, where=field_path or self.where)
            return None
        return validated(model, options, where=field_path or self.where)


def _load(target: str, registration: Registration) -> Any:
    module_name, _, attribute = target.partition(":")
    try:
        module = target_module(module_name, registration.path)
    except ImportError as error:
        missing = registration.missing()
        if missing:
            raise PluginError(
                f"needs {', '.join(missing)}, which is not installed",
                where=registration.where,
                hint=registration.install_line(),
            ) from error
        if isinstance(error, ModuleNotFoundError) and _is_part(error.name, module_name):
            raise PluginError(
                f"its module {error.name!r} does not exist", where=registration.where
            ) from error
        raise _broken(module_name, registration) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise _broken(module_name, registration) from error
    if not hasattr(module, attribute):
        public = (name for name in vars(module) if not name.startswith("_"))
        raise PluginError(
            f"{module_name!r} has no {attribute!r}", where=registration.where, allowed=near(attribute, public)
        )
    return getattr(module, attribute)


def _broken(module: str, registration: Registration) -> PluginError:
    """The fault of a plugin's module, with the trace that its author needs."""
    return PluginError(
        f"its module {module!r} cannot be imported\n{traceback.format_exc().rstrip()}",
        where=registration.where,
    )


def _is_part(missing: str | None, module: str) -> bool:
    """Whether the module that was not found is the wanted one or a package it sits in."""
    return missing is not None and f"{module}.".startswith(f"{missing}.")


@dataclass(frozen=True, slots=True)
class Absent:
    """A plugin that is not here although it is installed."""

    plugin: str
    distribution: str
    #: Its state and reason in one line.
    reason: str
    #: The traceback, when there is one.
    detail: str = ""
    #: What it had registered before it failed: (kind, full name).
    offered: frozenset[tuple[str, str]] = frozenset()


class Registry:
    """All registrations, and the lookup that a recipe's names go through."""

    def __init__(self) -> None:
        self._by_kind: dict[str, dict[str, Registration]] = {kind: {} for kind in KINDS}
        #: Plugins that would have offered names and are not here.
        self.absent: list[Absent] = []

    def check(self, registrations: Iterable[Registration]) -> None:
        """Raise PluginError when a name is taken; names both distributions."""
        seen: dict[tuple[str, str], Registration] = {}
        for new in registrations:
            old = seen.get((new.kind, new.full_name)) or self._by_kind[new.kind].get(new.full_name)
            if old is not None:
                raise PluginError(
                    f"{new.kind} {new.full_name!r} is registered twice: by plugin {old.plugin!r} of "
                    f"{old.distribution} {old.version} and by plugin {new.plugin!r} of "
                    f"{new.distribution} {new.version}"
                )
            seen[new.kind, new.full_name] = new

    def commit(self, registrations: Iterable[Registration]) -> None:
        for registration in registrations:
            self._by_kind[registration.kind][registration.full_name] = registration

    def all(self, kind: str | None = None) -> list[Registration]:
        kinds = KINDS if kind is None else (kind,)
        return [r for k in kinds for _, r in sorted(self._by_kind[k].items())]

    def names(self, kind: str) -> list[str]:
        return sorted(self._by_kind[kind])

    def find(self, kind: str, name: str, *, where: str = "") -> Registration:
        """The registration of this name.

        Raises:
            UnknownName: nobody registered it; names near matches, other distributions that offer the
                bare name, and plugins that failed to load.
        """
        found = self._by_kind[kind].get(name)
        if found is not None:
            return found
        owners = [r for r in self._by_kind[kind].values() if r.name == name]
        if owners:
            full = " or ".join(repr(r.full_name) for r in owners)
            dists = " and ".join(sorted(f"{r.distribution} {r.version}" for r in owners))
            raise UnknownName(
                f"{kind} {name!r} is offered by {dists}; names of other distributions are written in full",
                where=where,
                allowed=full,
            )
        raise UnknownName(
            f"nothing of kind {kind!r} is named {name!r}",
            where=where,
            allowed=near(name, self._by_kind[kind]),
            hint=_suspicion(self._suspects(kind, name)),
        )

    def _suspects(self, kind: str, name: str) -> list[Absent]:
        """The absent plugins that may have meant to offer a name: those that began to, else those of
        its distribution."""
        sure = [absent for absent in self.absent if (kind, name) in absent.offered]
        distribution = name.rpartition("/")[0] or DISTRIBUTION
        return sure or [absent for absent in self.absent if absent.distribution == distribution]


def _suspicion(suspects: list[Absent]) -> str:
    """Why the plugins that could have offered a name are not loaded, with their tracebacks if few."""
    lines = []
    for absent in suspects:
        lines.append(f"plugin {absent.plugin!r} is not loaded: {absent.reason}")
        if len(suspects) <= 3:
            lines += [f"  {line}" for line in absent.detail.rstrip().splitlines()]
    if len(suspects) > 3:
        lines.append("'harness plugins doctor' prints their tracebacks")
    return "\n    ".join(lines)
