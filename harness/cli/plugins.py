"""`harness plugins`: which plugins are installed, in which state they are, and how to switch them off.

`list` loads every plugin's hooks and nothing they point at; `doctor` imports everything they point
at; `disable` and `enable` load nothing, so that a plugin that breaks the tool can be switched off.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.context import load_plugins
from harness.plugging import plugins as loader

if TYPE_CHECKING:
    from harness.contract.protocols import BuildContext
    from harness.plugging.plugins import Plugins, PluginStatus
    from harness.plugging.registry import Registration

RECIPE = click.option(
    "--recipe",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Also load the {loader.LOCAL_FILE} beside this recipe.",
)
#: Longest line of an option's words, before the indent of its plugin.
WIDTH = 96
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
    """Show what one plugin offers: targets, capabilities, and its options with defaults and bounds."""
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
    """Import everything that plugins offer, build what opens nothing, and hold it against its protocol.

    Each fault is printed in full; the exit code is 1 if there is one.
    Plugins that were disabled or left out on purpose, and extras that are not installed, are named
    but do not count as faults.
    """
    from harness.plugging.examining import faults as faults_of

    plugins = load_plugins(recipe)
    context = _context(plugins)
    faults = 0
    for status in plugins.statuses:
        present = [r for r in status.registrations if not r.missing()]
        problems = [problem for r in present for problem in (*faults_of(r, context), *_unmarked(r))]
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


@command.command("new")
@click.argument("kind")
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where the new folder goes; the current one by default.",
)
def new(kind: str, name: str, folder: Path) -> None:
    """Write a distribution with one plugin of KIND, its options, tests and README, to be changed.

    KIND is one of the kinds that plugins register, such as `curricula`. The new folder is called
    staged-harness-NAME; one that is there already is left as it is.
    """
    from harness.plugging.scaffold import scaffold

    made = scaffold(kind, name, folder)
    click.echo(f"{made}: pip install -e '{made}[dev]', then python -m pytest {made}")


def _unmarked(registration: Registration) -> Iterator[str]:
    """Options that name a plugin without saying of which kind: `recipe check` cannot look for those."""
    from harness.recipe.uses import without_kind

    try:
        model = registration.options_model()
    except (Exception, SystemExit):  # noqa: BLE001 - told by the plugin's other faults
        return
    for option in () if model is None or not hasattr(model, "model_fields") else without_kind(model):
        yield (
            f"{registration.where}: option {option!r} names a plugin, but not of which kind; "
            f'write Annotated[..., kind("engines")]'
        )


def _context(plugins: Plugins) -> BuildContext:
    """What objects are built with that are only looked at."""
    from harness.contract.protocols import BuildContext
    from harness.recipe import Resources
    from harness.support.folders import cache_folder

    def build(kind: str, name: str, options: Mapping[str, Any], *, model: str = "") -> Any:
        return plugins.registry.find(kind, name).build(options, context.of_model(model))

    context = BuildContext(seed=0, cache=cache_folder(), data=None, build=build, resources=Resources())
    return context


def _option_lines(registration: Registration) -> list[str]:
    if registration.options is None:
        return []
    if registration.missing():
        return ["options: unknown until its extra is installed"]
    from harness.recipe.describe import described

    model = registration.options_model()
    assert model is not None
    lines = []
    for field in described(model):
        default = "required" if field.required else f"default {field.default}" if field.default else ""
        lines.append(f"option {field.path}: {'; '.join(filter(None, (field.type, default)))}")
        lines += textwrap.wrap(field.words, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return lines


def _by_kind(status: PluginStatus) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for registration in status.registrations:
        names.setdefault(registration.kind, []).append(registration.name)
    return names


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
