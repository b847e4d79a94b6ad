"""The page recipe.md: every field of a recipe, and every option of the plugins that come with us."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from harness.plugging.plugins import Plugins, PluginStatus
from harness.plugging.registry import DISTRIBUTION, KINDS, Registration
from harness.recipe.describe import Described, described
from harness.recipe.models import Recipe

INTRO = """\
# Recipes: every field

Every field of a recipe and every option of the plugins that come with the harness; this page is
written by `make docs` from the models themselves. `harness recipe schema` prints the same as a JSON
schema, for editors, with the plugins that are installed; `harness plugins show NAME` prints one
plugin's options.

A recipe is a TOML file. In the tables `[]` is each entry of an array and `NAME` a key of your own. A
default of *not set* is a field that is left out: TOML has no word for it. A field that names a plugin
takes a bare name, or a table with `name` and that plugin's options:

```toml
trainer = "torch"
trainer = { name = "torch", updates = 2 }
```

A path that a plugin's option holds is relative to the recipe, unless its words say otherwise.
"""
PLUGINS = """\
## Plugins

By kind. Options stand beside the plugin's `name`, wherever a recipe names it. Options of verifiers
that task sources name stand under `verifiers`: `[verifiers.code]`.
"""
WITHOUT_OPTIONS = ("profiles", "commands")
HEAD = "| field | type | default | what it does |\n|---|---|---|---|"


def page(plugins: Plugins) -> str:
    """The page; raises SystemExit if a plugin of ours is not loaded, as without its extra."""
    if lacking := [f"{each.full_name}: {each.reason}" for each in plugins.statuses if lacks(each)]:
        raise SystemExit("docs/reference/recipe.md needs every plugin; " + "; ".join(lacking))
    parts = [INTRO, *_recipe(), PLUGINS]
    for kind in KINDS:
        offered = [] if kind in WITHOUT_OPTIONS else plugins.registry.all(kind)
        if offered:
            parts += [f"### {kind}\n", *_grouped(offered)]
    return "\n".join(parts)


def lacks(status: PluginStatus) -> bool:
    """Whether a plugin of ours is missing, with or without its extra."""
    return status.distribution == DISTRIBUTION and status.state != "ok"


def _recipe() -> Iterator[str]:
    """The recipe's own fields, then a section for each of its tables."""
    tables: dict[str, list[Described]] = {"": []}
    for field in described(Recipe):
        table = field.path.rpartition(".")[0]
        tables.setdefault(table, []).append(field)
    yield f"## The recipe\n\n{_table(tables.pop(''))}"
    for table, fields in tables.items():
        yield f"## {table}\n\n{_table(fields, f'{table}.')}"


def _grouped(plugins: Sequence[Registration]) -> Iterator[str]:
    """Plugins in order; those with the same options share a table."""
    groups: dict[str | None, list[Registration]] = {}
    for each in plugins:
        groups.setdefault(each.options, []).append(each)
    for group in groups.values():
        names = ", ".join(f"`{each.full_name}`" for each in group)
        model = group[0].options_model()
        summaries = (
            [f"{each.summary}." for each in group]
            if len(group) == 1
            else [f"- `{each.full_name}`: {each.summary}" for each in group]
        )
        yield f"#### {names}\n\n" + "\n".join(map(_escaped, summaries)) + "\n"
        yield f"{_words(model)}\n\n{_table(list(described(model)))}" if model else "No options.\n"


def _words(model: type[BaseModel]) -> str:
    return " ".join(inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0].split())


def _table(fields: Sequence[Described], below: str = "") -> str:
    rows = [
        f"| `{field.path.removeprefix(below)}` | {_escaped(field.type)} "
        f"| {'**required**' if field.required else _default(field)} | {_escaped(field.words)} |"
        for field in fields
    ]
    return "\n".join([HEAD, *rows, ""])


def _default(field: Described) -> str:
    if not field.default or field.default == "not set":
        return field.default
    return f"`{_escaped(field.default)}`"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
