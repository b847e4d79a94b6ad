"""What plugins registered, found by kind and name.

A registration is strings and plain values; its factory and its options model are imported only when
a plan builds it. First-party names are bare (`uniform`), everyone else's carry their distribution
(`staged-harness-foo/uniform`), a one-file plugin's beside the recipe are `local/...`.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from harness.contract.errors import PluginError, RecipeError, UnknownName, near
from harness.contract.kinds import KINDS
from harness.plugging.local import target_module
from harness.plugging.requirements import missing_requirements

if TYPE_CHECKING:
    from pydantic import BaseModel

    from harness.contract.capabilities import Capabilities
    from harness.contract.protocols import BuildContext

    C = TypeVar("C", bound=Capabilities)

#: Our own distribution, whose plugins' names are bare.
DISTRIBUTION: Final = "staged-harness"
LOCAL: Final = "local"

#: The field under which a recipe names a plugin (`harness.recipe.Use`), beside the plugin's options.
OWN_NAME: Final = "name"


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
    #: `module:Model` of its pydantic options; None if it takes none.
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

    def able(self, model: type[C]) -> C:
        """Its capabilities as the model of its kind, with defaults if it says nothing.

        Raises:
            PluginError: one is unknown, or of another type.
        """
        from harness.recipe.errors import validated

        try:
            return validated(model, self.capabilities, where=f"capabilities of {self.where}")
        except RecipeError as error:
            raise PluginError(error.what, where=error.where) from None

    def check_capabilities(self) -> None:
        """Raise PluginError for a capability that its kind does not have."""
        self.able(KINDS[self.kind].capabilities_model())

    def missing(self) -> list[str]:
        """Requirements of its extra that are not installed, or too old."""
        return missing_requirements(self.distribution, self.extra) if self.extra else []

    def install_line(self) -> str:
        return f"pip install '{self.distribution}[{self.extra}]'"

    def load(self) -> Any:
        """Import the factory."""
        return _load(self.target, self)

    def options_model(self) -> type[BaseModel] | None:
        """Import the options model.

        Raises:
            PluginError: it cannot be imported, or has an option that no recipe can give.
        """
        if self.options is None:
            return None
        model: type[BaseModel] = _load(self.options, self)
        if OWN_NAME in getattr(model, "model_fields", ()):
            raise PluginError(
                f"{self.options} has a field {OWN_NAME!r}, which no recipe can give: "
                "there it is the plugin's own name",
                where=self.where,
                hint="give the field another name",
            )
        return model

    def build(self, options: Mapping[str, Any], context: BuildContext, *, field_path: str = "") -> Any:
        """Validate the options and call the factory.

        Raises:
            RecipeError: an option is unknown or does not fit; `field_path` says where in the recipe.
            PluginError: the factory cannot be imported.
        """
        return self.load()(self.validate(options, field_path=field_path), context)

    def validate(self, options: Mapping[str, Any], *, field_path: str = "") -> Any:
        """The options as an instance of the plugin's model, None if it takes none."""
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
        """Raise PluginError if a name is taken; names both distributions."""
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
        registration = self._by_kind[kind].get(name)
        if registration is not None:
            return registration
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
            hint=_suspicion(self._suspects(kind, name)) or self._not_installed(name),
        )

    def _not_installed(self, name: str) -> str:
        """How to get the distribution that a full name begins with, if it offers nothing here."""
        distribution = name.rpartition("/")[0]
        if not distribution or any(r.distribution == distribution for r in self.all()):
            return ""
        return f"no plugin of {distribution!r} is here: install that distribution"

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
