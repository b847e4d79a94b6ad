"""`harness plugins`: what is installed, what became of it, and how to switch it off.

`list` loads every plugin's hooks and nothing they point at; `doctor` imports everything they point
at; `disable` and `enable` load nothing, so that a plugin that breaks the tool can be switched off.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness import plugins as loader
from harness.cli.context import load_plugins
from harness.errors import PluginError

if TYPE_CHECKING:
    from harness.plugins import PluginStatus
    from harness.registry import Registration

RECIPE = click.option(
    "--recipe",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Also load the {loader.LOCAL_FILE} beside this recipe.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def command() -> None:
    """List, examine, disable and enable plugins."""


@command.command("list")
@RECIPE
@AS_JSON
def list_plugins(recipe: Path | None, as_json: bool) -> None:
    """List the installed plugins, their state and what they offer."""
    statuses = load_plugins(recipe).statuses
    if as_json:
        click.echo(json.dumps([_as_json(status) for status in statuses], indent=2))
        return
    rows = [("PLUGIN", "DISTRIBUTION", "STATE", "OFFERS")]
    for status in statuses:
        offers = ", ".join(f"{kind} {' '.join(names)}" for kind, names in _by_kind(status).items())
        if not offers and status.events:
            offers = "events " + " ".join(status.events)
        note = f"{offers} ({status.reason})" if offers and status.reason else offers or status.reason
        rows.append((status.full_name, f"{status.distribution} {status.version}", status.state, note))
    _table(rows)
    if not statuses:
        click.echo("no plugins are installed: pip install staged-harness brings the first-party ones")


@command.command("show")
@click.argument("name")
@RECIPE
@AS_JSON
def show(name: str, recipe: Path | None, as_json: bool) -> None:
    """Show what one plugin offers: targets, capabilities and options."""
    status = load_plugins(recipe).status(name)
    if as_json:
        click.echo(json.dumps(_as_json(status), indent=2))
        return
    click.echo(f"{status.full_name}: {status.state}, from {status.distribution} {status.version}")
    if status.reason:
        click.echo(f"  {status.reason}")
    if status.events:
        click.echo(f"  listens to {', '.join(status.events)}")
    for registration in status.registrations:
        click.echo(f"\n  {registration.kind} {registration.full_name!r} -> {registration.target}")
        if registration.summary:
            click.echo(f"    {registration.summary}")
        for capability, value in registration.capabilities.items():
            click.echo(f"    capability {capability} = {value!r}")
        if registration.extra:
            lacking = registration.missing()
            state = f"lacks {', '.join(lacking)}: {registration.install_line()}" if lacking else "installed"
            click.echo(f"    extra {registration.extra}: {state}")
        for line in _option_lines(registration):
            click.echo(f"    {line}")


@command.command("doctor")
@RECIPE
@click.pass_context
def doctor(ctx: click.Context, recipe: Path | None) -> None:
    """Import everything that plugins offer; print each fault in full. Exit code 1 when there is one.

    Plugins that were disabled or left out on purpose, and extras that are not installed, are named
    but are no fault.
    """
    faults = 0
    for status in load_plugins(recipe).statuses:
        problems = [problem for r in status.registrations if not r.missing() for problem in _faults(r)]
        bad = bool(problems) or status.state in ("failed", "incompatible")
        faults += bad
        state = "failed" if problems else status.state
        click.echo(f"{state:13} {status.full_name}{': ' + status.reason if status.reason else ''}")
        for text in [*([status.detail] if bad and status.detail else []), *problems]:
            click.echo("\n".join(f"    {line}" for line in text.rstrip().splitlines()))
    if faults:
        click.echo(f"\nbroken plugins: {faults}; 'harness plugins disable NAME' sets one aside")
        ctx.exit(1)


@command.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Leave a plugin out from now on, without loading it."""
    full_name = loader.resolve(name, loader.installed_names())
    loader.set_disabled(full_name, True)
    click.echo(f"{full_name} is disabled; 'harness plugins enable {full_name}' brings it back")


@command.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Use a disabled plugin again, without loading it now."""
    off = loader.disabled()
    full_name = loader.resolve(name, off | set(loader.installed_names()))
    loader.set_disabled(full_name, False)
    click.echo(f"{full_name} is enabled")


def _faults(registration: Registration) -> Iterable[str]:
    """What is wrong with what one registration points at."""
    import traceback

    for what, load in (("factory", registration.load), ("options", registration.options_model)):
        try:
            loaded = load()
        except PluginError as error:
            yield str(error)
        except (Exception, SystemExit):  # noqa: BLE001 - the doctor reports whatever a plugin's module raises
            yield f"{registration.where}: its {what} cannot be imported\n{traceback.format_exc()}"
        else:
            if what == "factory" and not callable(loaded):
                yield f"{registration.where}: {registration.target} is not callable"
            if what == "options" and loaded is not None and not hasattr(loaded, "model_validate"):
                yield f"{registration.where}: {registration.options} is no pydantic model"


def _option_lines(registration: Registration) -> list[str]:
    if registration.options is None:
        return []
    if registration.missing():
        return ["options: unknown until its extra is installed"]
    model = registration.options_model()
    assert model is not None
    lines = []
    for name, info in model.model_fields.items():
        kind = getattr(info.annotation, "__name__", None) if not str(info.annotation).count("[") else None
        default = "required" if info.is_required() else f"= {info.get_default(call_default_factory=True)!r}"
        lines.append(f"option {name}: {kind or str(info.annotation).replace('typing.', '')} {default}")
    return lines


def _by_kind(status: PluginStatus) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for registration in status.registrations:
        found.setdefault(registration.kind, []).append(registration.name)
    return found


def _as_json(status: PluginStatus) -> dict[str, Any]:
    return {
        "name": status.full_name,
        "distribution": status.distribution,
        "version": status.version,
        "state": status.state,
        "reason": status.reason,
        "detail": status.detail,
        "offers": _by_kind(status),
        "events": list(status.events),
    }


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
