"""Finding plugins, choosing which to load, and knowing what became of each.

Every entry point of group `harness` is loaded on its own (`harness.plugging.loading`). A plugin that cannot
be loaded has a status with its reason and harms no other; a recipe that names something of it fails
with that reason and its traceback.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pluggy

from harness.contract.errors import UNPARSABLE, PluginError, near
from harness.plugging.loading import (
    PluginStatus,
    State,
    installed,
    load_one,
    new_manager,
    one_file,
    refuse,
)
from harness.plugging.local import LOCAL_FILE, local_file
from harness.plugging.registry import LOCAL, Registry

__all__ = [
    "LOCAL_FILE",
    "PluginStatus",
    "Plugins",
    "Register",
    "State",
    "disabled",
    "disabled_file",
    "installed_names",
    "load",
    "local_file",
    "resolve",
    "set_disabled",
]

#: What a registration hook is given: called once for each plugin, with its name and its target.
Register = Callable[..., None]


@dataclass(slots=True)
class Plugins:
    """The loaded plugins of a process."""

    registry: Registry
    manager: pluggy.PluginManager
    statuses: list[PluginStatus] = field(default_factory=list)

    def status(self, name: str) -> PluginStatus:
        """The status of the plugin of this name; raises PluginError if there is none."""
        by_name = {status.full_name: status for status in self.statuses}
        try:
            return by_name[resolve(name, by_name)]
        except PluginError as error:
            owners = [
                f"{r.kind} {r.full_name!r} is offered by plugin {s.full_name!r}"
                for s in self.statuses
                for r in s.registrations
                if name in (r.name, r.full_name)
            ]
            if not owners:
                raise
            raise PluginError(error.what, allowed=error.allowed, hint="; ".join(owners)) from None

    def facts(self) -> list[dict[str, str]]:
        """Name, distribution and version of each plugin in use, as a ledger records them."""
        return [
            {"name": s.full_name, "distribution": s.distribution, "version": s.version}
            for s in self.statuses
            if s.state in ("ok", "missing-extra")
        ]


def load(*, block: Iterable[str] = (), local: Path | None = None) -> Plugins:
    """Load all plugins that are installed, neither disabled nor blocked, and the local file.

    `HARNESS_PLUGINS`, when set, is a comma-separated list of the only plugins to load; the empty
    string loads none. `block` names plugins to leave out, as `--no-plugin` does. Both take a bare
    name if only one plugin has it.

    Raises:
        PluginError: a name that is to be loaded or left out is no plugin's.
    """
    plugins = Plugins(Registry(), new_manager())
    entries = installed() + ([] if local is None else [one_file(local)])
    names = [entry.full_name for entry in entries]
    only = os.environ.get("HARNESS_PLUGINS")
    wanted = None if only is None else _resolved(only.split(","), names, "HARNESS_PLUGINS")
    blocked, off = _resolved(block, names, "--no-plugin"), disabled()
    for entry in entries:
        if wanted is not None and entry.full_name not in wanted:
            status = refuse(entry, plugins.registry, "blocked", "not named in HARNESS_PLUGINS")
        elif entry.full_name in blocked:
            status = refuse(entry, plugins.registry, "blocked", "left out by --no-plugin")
        elif entry.full_name in off:
            hint = f"run 'harness plugins enable {entry.full_name}' to use it"
            status = refuse(entry, plugins.registry, "disabled", hint)
        else:
            status = load_one(entry, plugins.registry, plugins.manager)
        plugins.statuses.append(status)
    return plugins


def resolve(name: str, names: Iterable[str]) -> str:
    """The full name that `name` means: itself, or the only one whose bare name it is.

    Raises:
        PluginError: it is nobody's name, or that of several.
    """
    known = list(names)
    if name in known:
        return name
    matches = [full for full in known if full.rpartition("/")[2] == name]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise PluginError(f"{name!r} is the name of several plugins", allowed=" or ".join(sorted(matches)))
    raise PluginError(f"no plugin is named {name!r}", allowed=near(name, known))


def _resolved(names: Iterable[str], known: list[str], source: str) -> set[str]:
    resolved = set()
    for name in filter(None, (name.strip() for name in names)):
        if name.startswith(f"{LOCAL}/"):
            # A one-file plugin is there only for verbs that read a recipe.
            resolved.add(name)
            continue
        try:
            resolved.add(resolve(name, known))
        except PluginError as error:
            raise PluginError(error.what, where=source, allowed=error.allowed) from None
    return resolved


def installed_names() -> list[str]:
    """Full names of installed plugins, without loading any."""
    return [entry.full_name for entry in installed()]


# Disabling works without loading anything, so that a plugin that breaks the tool can be switched off.


def disabled_file() -> Path:
    """Where the disabled plugins' names are kept (`$XDG_CONFIG_HOME/harness/disabled.json`)."""
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "harness" / "disabled.json"


def disabled() -> set[str]:
    """Full names of disabled plugins."""
    path = disabled_file()
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return set()
    except UNPARSABLE as error:
        raise PluginError(f"not JSON: {error}", where=str(path), hint=f"rm {path}") from None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise PluginError("not a list of names", where=str(path), hint=f"rm {path}")
    return set(names)


def set_disabled(name: str, off: bool) -> None:
    """Disable or enable a plugin, by its full name, from the next start on."""
    names = disabled()
    names = names | {name} if off else names - {name}
    path = disabled_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(sorted(names)) + "\n", encoding="utf-8")
    scratch.replace(path)
