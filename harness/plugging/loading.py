"""Loading one plugin in isolation.

Its module is imported, examined in a plugin manager of its own and asked to register; only when all
of that succeeds is anything of it committed. Whatever goes wrong is its status and nobody else's
trouble. Silence is the worst fault of a plugin system, so everything that pluggy would quietly
ignore is an error here: a misspelt hook, a hook without its mark, an `async` or generator hook, an
entry point declared twice.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import inspect
import json
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import pluggy

from harness.contract import hookspecs
from harness.contract.errors import HarnessError, PluginError, near
from harness.contract.kinds import KINDS, Kind
from harness.plugging.local import content_version, import_file
from harness.plugging.registry import DISTRIBUTION, LOCAL, Absent, Registration, Registry
from harness.plugging.requirements import canonical, declared, extra_that_brings, needs_other_harness

GROUP: Final = "harness"
State = Literal["ok", "missing-extra", "failed", "disabled", "blocked", "incompatible"]

#: Names of all hooks.
HOOKS: Final = frozenset(n for n in vars(hookspecs) if hasattr(getattr(hookspecs, n), "harness_spec"))
_REGISTRATION_HOOKS: Final = frozenset(kind.hook for kind in KINDS.values())


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """What became of one plugin."""

    name: str
    distribution: str
    version: str
    state: State
    #: One line; empty if ok.
    reason: str = ""
    #: The full traceback of a failure.
    detail: str = ""
    registrations: tuple[Registration, ...] = ()
    #: Events that it listens to.
    events: tuple[str, ...] = ()
    #: Packages besides its own whose code makes its numbers: `HARNESS_CODE` of its module.
    code: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return full_name(self.distribution, self.name)


@dataclass(frozen=True, slots=True)
class Entry:
    """A plugin that is there to be loaded."""

    name: str
    distribution: str
    version: str
    load: Callable[[], Any]
    #: File of a one-file plugin; empty for installed ones.
    path: str = ""
    #: The module and attribute that its entry point names.
    target: str = ""

    @property
    def full_name(self) -> str:
        return full_name(self.distribution, self.name)

    def status(self, state: State, reason: str = "", detail: str = "") -> PluginStatus:
        return PluginStatus(self.name, self.distribution, self.version, state, reason, detail)


def full_name(distribution: str, name: str) -> str:
    """Bare for our own distribution, `distribution/name` for everyone else's."""
    return name if distribution == DISTRIBUTION else f"{distribution}/{name}"


def installed() -> list[Entry]:
    """The entry points of all installed distributions: ours first, then by distribution and name."""
    entries: dict[tuple[str, str], Entry] = {}
    unreadable: list[Entry] = []
    try:
        points = list(importlib.metadata.entry_points(group=GROUP))
    except Exception:  # noqa: BLE001 - one damaged file hides all others': they are read one by one
        points, unreadable = _one_by_one()
    for point in points:
        distribution, version = _facts(point.dist)
        entry = Entry(point.name, distribution, version, point.load, target=point.value)
        key = distribution, point.name
        if key in entries and entries[key].target != entry.target:
            entry = Entry(point.name, distribution, version, _declared_twice(entries[key], entry))
        entries[key] = entry
    every = [*entries.values(), *unreadable]
    return sorted(every, key=lambda e: (e.distribution != DISTRIBUTION, e.distribution, e.name))


def _facts(distribution: importlib.metadata.Distribution | None) -> tuple[str, str]:
    """Name and version of a distribution, whose metadata may lack them or be no text."""
    try:
        name, version = (distribution.name, distribution.version) if distribution else ("", "")
    except Exception:  # noqa: BLE001 - what it is called cannot be said; what it offers still may load
        name, version = "", ""
    return canonical(name or "unknown"), str(version or "0")


def _may_be_ours(distribution: importlib.metadata.Distribution) -> bool:
    """Whether a file of entry points that cannot be read may have one of our group."""
    try:
        return f"[{GROUP}]" in (distribution.read_text("entry_points.txt") or "")
    except UnicodeDecodeError:
        return True


def _one_by_one() -> tuple[list[importlib.metadata.EntryPoint], list[Entry]]:
    """The entry points of every distribution that can be read, and an entry for each that cannot and may have
    one of ours."""
    points: list[importlib.metadata.EntryPoint] = []
    unreadable: list[Entry] = []
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        name, version = _facts(distribution)
        if name in seen and name != "unknown":
            continue
        seen.add(name)
        try:
            points += distribution.entry_points.select(group=GROUP)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it is its status
            if _may_be_ours(distribution):
                why = PluginError(f"its entry_points.txt cannot be read: {error}", where=name)
                unreadable.append(Entry("entry-points", name, version, _raising(why)))
    return points, unreadable


def _raising(error: PluginError) -> Callable[[], Any]:
    def load() -> Any:
        raise error

    return load


def one_file(path: Path) -> Entry:
    """The one-file plugin at a path."""
    return Entry(path.stem, LOCAL, content_version(path), lambda: import_file(path), path=str(path))


def new_manager() -> pluggy.PluginManager:
    """A plugin manager that knows the hooks and no plugin."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def load_one(entry: Entry, registry: Registry, manager: pluggy.PluginManager) -> PluginStatus:
    """Load a plugin and commit what it registers, or say why not and leave no trace of it."""
    registrations: list[Registration] = []
    try:
        if entry.distribution not in (DISTRIBUTION, LOCAL):
            wanted = needs_other_harness(entry.distribution, DISTRIBUTION)
            if wanted:
                ours = importlib.metadata.version(DISTRIBUTION)
                return refuse(entry, registry, "incompatible", f"needs {wanted}; this is {ours}")
        # What a plugin prints while it loads would spoil the output of the verb that is running.
        with contextlib.redirect_stdout(sys.stderr):
            module = entry.load()
            problem = _incompatible(module)
            if problem:
                return refuse(entry, registry, "incompatible", problem)
            scratch, hooks = _examine(module)
            _ask(scratch, entry, registrations)
        registry.check(registrations)
        lacking = {r.extra: r.missing() for r in registrations if r.extra}
        _claim(module, entry, manager)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - isolation: any fault of a plugin is its status, even sys.exit
        extra = _missing_extra(entry, error)
        return refuse(
            entry,
            registry,
            "missing-extra" if extra else "failed",
            extra or _in_one_line(error),
            "" if isinstance(error, HarnessError) else traceback.format_exc(),
            registrations,
        )
    registry.commit(registrations)
    lines = [
        f"{', '.join(missing)} not installed: pip install '{entry.distribution}[{extra}]'"
        for extra, missing in lacking.items()
        if missing
    ]
    state: State = "missing-extra" if lines else "ok"
    return PluginStatus(
        entry.name,
        entry.distribution,
        entry.version,
        state,
        "; ".join(lines),
        registrations=tuple(registrations),
        events=tuple(hook for hook in hooks if hook not in _REGISTRATION_HOOKS),
        code=tuple(getattr(module, "HARNESS_CODE", ())),
    )


def refuse(
    entry: Entry,
    registry: Registry,
    state: State,
    reason: str,
    detail: str = "",
    registrations: Iterable[Registration] = (),
) -> PluginStatus:
    """The status of a plugin of which nothing is used; the registry remembers why."""
    offered = frozenset((r.kind, r.full_name) for r in registrations)
    registry.absent.append(Absent(entry.full_name, entry.distribution, f"{state}: {reason}", detail, offered))
    return entry.status(state, reason, detail)


def _declared_twice(one: Entry, other: Entry) -> Callable[[], Any]:
    return _raising(
        PluginError(
            f"{one.distribution} {one.version} declares the entry point {one.name!r} twice: "
            f"{one.target} and {other.target}"
        )
    )


def _incompatible(module: Any) -> str:
    code = getattr(module, "HARNESS_CODE", ())
    if not isinstance(code, tuple) or not all(isinstance(name, str) for name in code):
        return f"HARNESS_CODE must be a tuple of names of packages, not {code!r}"
    wanted = getattr(module, "HARNESS_API", hookspecs.API)
    have = hookspecs.API
    if not isinstance(wanted, tuple) or len(wanted) != 2 or not all(isinstance(part, int) for part in wanted):
        return f"HARNESS_API must be (major, minor), not {wanted!r}"
    if wanted[0] != have[0] or wanted[1] > have[1]:
        return f"needs plugin API {wanted[0]}.{wanted[1]}; this harness has {have[0]}.{have[1]}"
    return ""


def _examine(module: Any) -> tuple[pluggy.PluginManager, list[str]]:
    """A manager with this plugin alone, and the hooks that it implements, in the order of `hookspecs`.

    Raises:
        PluginError: it implements none, or one in a way that would never be called.
        pluggy.PluginValidationError: it takes an argument that a hook does not have.
    """
    scratch = new_manager()
    scratch.register(module)
    callers = {caller.name: caller for caller in scratch.get_hookcallers(module) or ()}
    for name, caller in callers.items():
        if name not in HOOKS:
            raise PluginError(f"{name!r} is not a hook; {near(name, HOOKS)}")
        for implementation in caller.get_hookimpls():
            function = implementation.function
            if implementation.wrapper or implementation.hookwrapper:
                raise PluginError(f"{name!r} is a wrapper; wrap an engine or a verifier instead")
            if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
                raise PluginError(
                    f"{name!r} is async or a generator, which nobody would run; use a plain def"
                )
    for name in HOOKS - set(callers):
        unmarked = getattr(module, name, None)
        if inspect.isfunction(unmarked) and not hasattr(unmarked, "harness_spec"):
            raise PluginError(f"{name!r} lacks its mark: write @harness.hookimpl above it")
    if not callers:
        raise PluginError("implements no hook: mark its functions with @harness.hookimpl")
    scratch.check_pending()
    return scratch, [name for name in vars(hookspecs) if name in callers]


def _ask(scratch: pluggy.PluginManager, entry: Entry, registrations: list[Registration]) -> None:
    """Run a plugin's registration hooks; `found` keeps what it had registered should one raise."""
    for kind in KINDS.values():
        recorder = _Recorder(kind, entry, registrations)
        getattr(scratch.hook, kind.hook)(register=recorder)
        recorder.open = False


def _claim(module: Any, entry: Entry, manager: pluggy.PluginManager) -> None:
    other = manager.get_name(module)
    if other is not None:
        raise PluginError(
            f"its module {getattr(module, '__name__', module)!r} is already plugin {other!r}: two entry "
            f"points, {other!r} and {entry.full_name!r}, name the same module"
        )
    manager.register(module, name=entry.full_name)


class _Recorder:
    """What a registration hook is handed as `register`."""

    def __init__(self, kind: Kind, entry: Entry, registrations: list[Registration]) -> None:
        self.kind, self.entry, self.registrations, self.open = kind, entry, registrations, True

    def __call__(
        self,
        name: str,
        target: str,
        *,
        options: str | None = None,
        capabilities: Mapping[str, Any] | None = None,
        extra: str | None = None,
        summary: str = "",
    ) -> None:
        """Offer one thing.

        Args:
            name: how recipes call it, without the distribution.
            target: `module:attribute` of its factory.
            options: `module:Model` of its pydantic options; none may be called `name`, as the plugin is.
            capabilities: what it can do and needs, by the names of its kind's capabilities.
            extra: the extra of the distribution that it needs installed.
            summary: what it is, in one line.

        Raises:
            PluginError: an argument does not fit, or the time for registering is over.
        """
        what = f"{self.kind.name} {name!r}"
        if not self.open:
            raise PluginError(f"{what} is registered after loading has ended; register inside the hook")
        for label, value in (("target", target), ("options", options)):
            if value is not None and (not isinstance(value, str) or value.count(":") != 1):
                raise PluginError(f"{label} of {what} must be 'module:attribute', not {value!r}")
        if not name or "/" in name or name != name.strip():
            raise PluginError(
                f"{name!r} is no name for one of {self.kind.name}: no slash, no spaces around it"
            )
        if options is not None and not self.kind.options:
            raise PluginError(f"{what} takes no options: its target is used as it is")
        if extra is not None:
            extras = declared(self.entry.distribution)[0]
            if canonical(extra) not in map(canonical, extras):
                raise PluginError(
                    f"{what} needs extra {extra!r}, which {self.entry.distribution} does not declare; "
                    f"{near(extra, extras)}"
                )
        try:
            plain = json.loads(json.dumps(dict(capabilities or {})))
        except (TypeError, ValueError) as error:
            raise PluginError(f"capabilities of {what} must be plain JSON-like values: {error}") from None
        entry = self.entry
        registration = Registration(
            kind=self.kind.name,
            name=name,
            target=target,
            plugin=entry.name,
            distribution=entry.distribution,
            version=entry.version,
            options=options,
            capabilities=plain,
            extra=extra,
            summary=summary,
            path=entry.path,
        )
        # Ours are tested, so that `harness --help` need not import pydantic to check them again.
        if plain and entry.distribution != DISTRIBUTION:
            registration.check_capabilities()
        self.registrations.append(registration)


def _missing_extra(entry: Entry, error: BaseException) -> str:
    """The line that installs the extra without which an import failed; "" when it is another fault."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    try:
        return extra_that_brings(entry.distribution, error.name.partition(".")[0])
    except PluginError:
        return ""  # what it declares cannot be read, so the failed import is all that can be said


def _in_one_line(error: BaseException) -> str:
    """Works for exceptions whose own `str` raises, too."""
    if isinstance(error, HarnessError):
        return str(error).replace("\n", "; ")
    lines = traceback.format_exception_only(error)
    return "; ".join(line.strip() for line in "".join(lines).splitlines() if line.strip())
