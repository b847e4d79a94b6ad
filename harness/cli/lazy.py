"""A command group that imports a verb only when it is used.

The group's own verbs come from a table; verbs of plugins (kind `commands`) are looked up after
them, so that no plugin can take the place of one of ours.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from harness.contract.errors import near

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from harness.plugging.plugins import Plugins


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb lives, and its line in the list of verbs."""

    module: str
    attribute: str
    help: str

    def load(self) -> click.Command:
        command: click.Command = getattr(importlib.import_module(self.module), self.attribute)
        return command


class LazyGroup(click.Group):
    """A group whose verbs are imported one by one, plus the plugins' commands."""

    def __init__(self, *, verbs: Mapping[str, Verb], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verbs = dict(verbs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self.verbs, *sorted(r.full_name for r in _plugins(ctx).registry.all("commands"))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = self.verbs.get(cmd_name)
        if verb is not None:
            return verb.load()
        if cmd_name not in _plugins(ctx).registry.names("commands"):
            return None
        command: click.Command = _plugins(ctx).registry.find("commands", cmd_name).load()
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Verbs with their lines, without importing any, and the group's own options."""
        from click.shell_completion import CompletionItem

        lines = {name: verb.help for name, verb in self.verbs.items() if verb.help}
        lines |= {r.full_name: r.summary for r in _plugins(ctx).registry.all("commands")}
        fitting = [CompletionItem(name, help=lines[name]) for name in lines if name.startswith(incomplete)]
        return [*fitting, *click.Command.shell_complete(self, ctx, incomplete)]

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            raise self._unknown(ctx, name)
        return super().resolve_command(ctx, args)

    def _unknown(self, ctx: click.Context, name: str) -> click.UsageError:
        registry = _plugins(ctx).registry
        if "/" in name or any(r.name == name for r in registry.all("commands")):
            # The full name of another distribution, or one that lacks it: the registry explains.
            registry.find("commands", name)
        return click.UsageError(f"no verb is named {name!r}; {near(name, self.list_commands(ctx))}", ctx=ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in self.verbs.items() if verb.help])
        plugins = _plugins(ctx)
        commands = plugins.registry.all("commands")
        if commands:
            with formatter.section("Verbs of plugins"):
                formatter.write_dl([(r.full_name, r.summary or f"from {r.distribution}") for r in commands])
        broken = [s for s in plugins.statuses if s.state in ("failed", "incompatible")]
        if broken:
            with formatter.section("Not loaded, see 'harness plugins doctor'"):
                formatter.write_dl([(status.full_name, status.reason) for status in broken])


def _plugins(ctx: click.Context) -> Plugins:
    """The process's plugins, loaded at most once by a command line."""
    root = ctx.find_root()
    if not isinstance(root.obj, dict):
        root.obj = {}
    if "plugins" not in root.obj:
        from harness.plugging.plugins import load

        root.obj["plugins"] = load(block=root.params.get("no_plugin", ()))
    plugins: Plugins = root.obj["plugins"]
    return plugins
