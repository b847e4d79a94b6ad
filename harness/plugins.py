"""Finding and loading plugins, each in isolation.

Every entry point of group `harness` is loaded in a scratch plugin manager; its registrations are
committed only if all of it succeeds. A plugin that cannot be loaded has a status with its reason
and harms no other; a recipe that names something of it fails with that reason.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pluggy

from harness import hookspecs
from harness.errors import HarnessError, PluginError, near
from harness.registry import DISTRIBUTION, KINDS, LOCAL, Registration, Registry

GROUP: Final = "harness"
#: File name of a one-file plugin beside a recipe.
LOCAL_FILE: Final = "harness_plugin.py"

Register = Callable[..., None]
State = Literal["ok", "missing-extra", "failed", "disabled", "blocked", "incompatible"]


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """What became of one plugin."""

    name: str
    distribution: str
    version: str
    state: State
    #: One line; empty when ok.
    reason: str = ""
    #: The full traceback of a failure.
    detail: str = ""
    registrations: tuple[Registration, ...] = ()
    #: Events that it listens to.
    events: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return self.name if self.distribution == DISTRIBUTION else f"{self.distribution}/{self.name}"


@dataclass(slots=True)
class Plugins:
    """The loaded plugins of a process."""

    registry: Registry
    manager: pluggy.PluginManager
    statuses: list[PluginStatus] = field(default_factory=list)

    def status(self, name: str) -> PluginStatus:
        """The status of the plugin of this name; raises PluginError when there is none."""
        for status in self.statuses:
            if name in (status.full_name, status.name):
                return status
        raise PluginError(
            f"no plugin is named {name!r}", allowed=near(name, (s.full_name for s in self.statuses))
        )


def load(*, block: Iterable[str] = (), local: Path | None = None) -> Plugins:
    """Load all plugins that are installed, neither disabled nor blocked, and the local file.

    `HARNESS_PLUGINS`, when set, is a comma-separated list of the only plugins to load; the empty
    string loads none. `block` names plugins to leave out, as `--no-plugin` does.
    """
    plugins = Plugins(Registry(), _manager())
    only = os.environ.get("HARNESS_PLUGINS")
    wanted = None if only is None else {name.strip() for name in only.split(",") if name.strip()}
    blocked, off = set(block), disabled()
    for entry in _entry_points():
        names = {entry.name, entry.full_name}
        if wanted is not None and not names & wanted:
            _record(plugins, entry.status("blocked", "not named in HARNESS_PLUGINS"))
        elif names & blocked:
            _record(plugins, entry.status("blocked", "left out by --no-plugin"))
        elif names & off:
            _record(
                plugins, entry.status("disabled", f"run 'harness plugins enable {entry.full_name}' to use it")
            )
        else:
            _load_one(plugins, entry)
    known = {name for status in plugins.statuses for name in (status.name, status.full_name)}
    for name in sorted((wanted or set()) | blocked):
        if name not in known:
            source = "HARNESS_PLUGINS" if name in (wanted or set()) else "--no-plugin"
            raise PluginError(f"no plugin is named {name!r}", where=source, allowed=near(name, known))
    if local is not None:
        _load_one(plugins, _Entry(local.stem, LOCAL, "0", lambda: _load_file(local)))
    return plugins


def local_file(recipe: Path) -> Path | None:
    """The one-file plugin beside a recipe, if there is one."""
    path = recipe.resolve().parent / LOCAL_FILE
    return path if path.is_file() else None


# Disabling works without loading anything, so that a plugin that breaks the tool can be switched off.


def disabled_file() -> Path:
    """Where the disabled plugins' names are kept (`$XDG_CONFIG_HOME/harness/disabled.json`)."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "harness" / "disabled.json"


def disabled() -> set[str]:
    """Names of disabled plugins."""
    path = disabled_file()
    try:
        return set(json.loads(path.read_text()))
    except FileNotFoundError:
        return set()
    except (ValueError, TypeError) as error:
        raise PluginError(f"not a list of names: {error}", where=str(path), hint=f"rm {path}") from None


def set_disabled(name: str, off: bool) -> None:
    """Disable or enable a plugin from the next start on."""
    names = disabled()
    names = names | {name} if off else names - {name}
    path = disabled_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(sorted(names)) + "\n")
    scratch.replace(path)


def installed_names() -> list[str]:
    """Full names of installed plugins, without loading any."""
    return [entry.full_name for entry in _entry_points()]


# Loading one ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    distribution: str
    version: str
    load: Callable[[], Any]

    @property
    def full_name(self) -> str:
        return self.name if self.distribution == DISTRIBUTION else f"{self.distribution}/{self.name}"

    def status(
        self, state: State, reason: str = "", detail: str = "", registrations: Iterable[Registration] = ()
    ) -> PluginStatus:
        return PluginStatus(
            self.name, self.distribution, self.version, state, reason, detail, tuple(registrations)
        )


def _entry_points() -> Iterator[_Entry]:
    """Installed entry points, first-party first, then by distribution; each distribution once."""
    found = []
    for point in importlib.metadata.entry_points(group=GROUP):
        dist = point.dist
        name = (dist.metadata["Name"] if dist else "unknown").lower().replace("_", "-")
        found.append(_Entry(point.name, name, dist.version if dist else "0", point.load))
    found.sort(key=lambda e: (e.distribution != DISTRIBUTION, e.distribution, e.name))
    seen = set()
    for entry in found:
        if (entry.distribution, entry.name) not in seen:
            seen.add((entry.distribution, entry.name))
            yield entry


def _load_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise PluginError("not a Python file", where=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _load_one(plugins: Plugins, entry: _Entry) -> None:
    try:
        module = entry.load()
        problem = _incompatible(module)
        if problem:
            _record(plugins, entry.status("incompatible", problem))
            return
        registrations = _register(module, entry)
        plugins.registry.check(registrations)
    except ModuleNotFoundError as error:
        _record(plugins, _import_failure(entry, error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - isolation: any fault of a plugin is its status
        reason = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        _record(plugins, entry.status("failed", reason.split("\n")[0], traceback.format_exc()))
    else:
        plugins.registry.commit(registrations)
        plugins.manager.register(module, name=entry.full_name)
        lacking = {r.extra: r.missing() for r in registrations if r.extra}
        lines = [
            f"{', '.join(missing)} not installed: pip install '{entry.distribution}[{extra}]'"
            for extra, missing in lacking.items()
            if missing
        ]
        state: State = "missing-extra" if lines else "ok"
        _record(plugins, entry.status(state, "; ".join(lines), registrations=registrations))


def _record(plugins: Plugins, status: PluginStatus) -> None:
    plugins.statuses.append(status)
    if status.state not in ("ok", "missing-extra"):
        reason = f"{status.state}: {status.reason}"
        if status.detail:
            reason += "\n" + status.detail.rstrip()
        plugins.registry.absent[status.full_name] = (status.distribution, reason)


def _import_failure(entry: _Entry, error: ModuleNotFoundError) -> PluginStatus:
    """A module that is not there is a missing extra when an extra of the distribution brings it."""
    try:
        metadata = importlib.metadata.metadata(entry.distribution)
        extras = metadata.get_all("Provides-Extra") or []
    except importlib.metadata.PackageNotFoundError:
        extras = []
    from harness.registry import missing_requirements

    for extra in extras:
        for requirement in missing_requirements(entry.distribution, extra):
            if (error.name or "").split(".")[0].replace("_", "-") in requirement.replace("_", "-"):
                return entry.status(
                    "missing-extra",
                    f"{requirement} not installed: pip install '{entry.distribution}[{extra}]'",
                    traceback.format_exc(),
                )
    return entry.status("failed", f"{type(error).__name__}: {error}", traceback.format_exc())


def _incompatible(module: Any) -> str:
    wanted = getattr(module, "HARNESS_API", hookspecs.API)
    have = hookspecs.API
    if not isinstance(wanted, tuple) or len(wanted) != 2 or not all(isinstance(part, int) for part in wanted):
        return f"HARNESS_API must be (major, minor), not {wanted!r}"
    if wanted[0] != have[0] or wanted[1] > have[1]:
        return f"needs plugin API {wanted[0]}.{wanted[1]}; this harness has {have[0]}.{have[1]}"
    return ""


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def _register(module: Any, entry: _Entry) -> list[Registration]:
    """Run the plugin's registration hooks in a manager of its own and return what they registered."""
    scratch = _manager()
    scratch.register(module, name=entry.full_name)
    known = {name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "harness_spec")}
    callers = scratch.get_hookcallers(scratch.get_plugin(entry.full_name)) or []
    if not callers:
        raise PluginError("implements no hook: mark its functions with @harness.hookimpl")
    for caller in callers:
        if caller.name not in known:
            raise PluginError(f"{caller.name!r} is not a hook", allowed=near(caller.name, known))
        if any(impl.wrapper or impl.hookwrapper for impl in caller.get_hookimpls()):
            raise PluginError(f"{caller.name!r} is a wrapper; wrap an engine or a verifier instead")
    scratch.check_pending()
    found: list[Registration] = []
    for kind in KINDS:
        caller = getattr(scratch.hook, f"register_{kind}")
        caller(register=_recorder(kind, entry, found))
    return found


def _recorder(kind: str, entry: _Entry, found: list[Registration]) -> Register:
    def register(
        name: str,
        target: str,
        *,
        options: str | None = None,
        capabilities: Mapping[str, Any] | None = None,
        extra: str | None = None,
        summary: str = "",
    ) -> None:
        for what, value in (("target", target), ("options", options)):
            if value is not None and (not isinstance(value, str) or value.count(":") != 1):
                raise PluginError(f"{what} of {kind} {name!r} must be 'module:attribute', not {value!r}")
        if not name or "/" in name or name != name.strip():
            raise PluginError(f"{name!r} is no name for one of {kind}: no slash, no spaces around it")
        found.append(
            Registration(
                kind=kind,
                name=name,
                target=target,
                plugin=entry.name,
                distribution=entry.distribution,
                version=entry.version,
                options=options,
                capabilities=dict(capabilities or {}),
                extra=extra,
                summary=summary,
            )
        )

    return register
