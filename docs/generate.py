"""Writes the pages of docs/ that are made from the code: hooks.md, cli.md, the table of files in
architecture.md and the sizes in capacity.md.

python docs/generate.py           write them
python docs/generate.py --check   exit 1 and name the pages that are stale
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# What third parties installed here is no part of our documentation.
os.environ["HARNESS_PLUGINS"] = ""

import click

from harness import hookspecs, protocols
from harness.cli import VERBS, group
from harness.loading import HOOKS, _Recorder

HERE = Path(__file__).resolve().parent
WIDTH = 100

HOOKS_INTRO = """\
# Hooks

Every hook, from `harness/hookspecs.py`; this page is written by `make docs`. A plugin is a module
with functions that bear the names below and the mark `@harness.hookimpl`. It is found through an
entry point in group `harness`, or as `harness_plugin.py` beside a recipe. [The
tutorial](tutorial-plugin.md) writes one in ten minutes.

Plugin API: **{api}**. A plugin may set `HARNESS_API = (1, 0)`: it needs this major version and at
least this minor one. An implementation may take any subset of a hook's arguments, so that arguments
can be added without breaking it.

What never happens in silence: a misspelt hook, a function that bears a hook's name without the mark,
an `async` or generator hook, and a wrapper are refused with their reason (`harness plugins list`).
"""

REGISTRATION = """\
## Registration: what a plugin offers

Called once, at start. Targets are strings, so that listing plugins and checking a recipe import
nothing heavy. A recipe writes bare names for first-party plugins and `distribution/name` for others.

```python
{signature}
```

{doc}

Factories are called as `factory(options, context)` with an instance of the options model (None
without one) and a [`BuildContext`](../harness/protocols.py); what they return satisfies the kind's
protocol.
"""

EVENTS = """\
## Events: what happened

Broadcast to every plugin with read-only payloads. An implementation that raises is reported with its
plugin's name and recorded in the ledger; the others still run, and so does the run.
"""


def hooks_page() -> str:
    """The page of all hooks."""
    parameters = [p for p in inspect.signature(_Recorder.__call__).parameters.values() if p.name != "self"]
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    lines = [f"{p.name}: {p.annotation}" for p in parameters if p not in keywords] + ["*"]
    lines += [f"{p.name}: {p.annotation} = {p.default!r}" for p in keywords]
    recorder = "(\n" + "".join(f"    {line},\n" for line in lines) + ") -> None"
    doc = inspect.cleandoc(_Recorder.__call__.__doc__ or "").partition("Args:")[2]
    arguments = [line.strip() for line in doc.partition("Raises:")[0].strip().splitlines()]
    registration = REGISTRATION.format(
        signature=f"register{recorder}",
        doc="\n".join(f"- `{a.partition(':')[0]}`:{a.partition(':')[2]}" for a in arguments),
    )
    parts = [HOOKS_INTRO.format(api=".".join(map(str, hookspecs.API))), registration]
    names = [name for name in vars(hookspecs) if name in HOOKS]
    parts += [_hook(name) for name in names if name.startswith("register_")]
    parts += [EVENTS, *(_hook(name) for name in names if not name.startswith("register_"))]
    return "\n".join(parts)


def _hook(name: str) -> str:
    function = getattr(hookspecs, name)
    signature = str(inspect.signature(function)).replace("'", "")
    doc = inspect.cleandoc(function.__doc__)
    protocol = doc.rpartition("(`")[2].partition("`)")[0]
    if hasattr(protocols, protocol):
        doc = doc.replace(f"(`{protocol}`)", f"([`{protocol}`](../harness/protocols.py))")
    return f"### {name}\n\n```python\ndef {name}{signature}\n```\n\n{doc}\n"


def cli_page() -> str:
    """The page of all verbs: each one's --help."""
    parts = ["# Command line\n\nThe `--help` of every verb; this page is written by `make docs`.\n"]
    for path, text in _helps(group, ["harness"]):
        parts.append(f"## {' '.join(path)}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _helps(command: click.Command, path: list[str]) -> Iterator[tuple[list[str], str]]:
    context = click.Context(command, info_name=" ".join(path), terminal_width=WIDTH, max_content_width=WIDTH)
    with context:
        yield path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        names = list(VERBS) if command is group else getattr(command, "commands", {})
        for name in names:
            child = command.get_command(context, name) if isinstance(command, click.Group) else None
            if child is not None and not child.hidden:
                yield from _helps(child, [*path, name])


def architecture_page() -> str:
    """The page of the architecture: written by hand, but for its table of files."""
    return _filled("architecture.md", BEGIN, END, "| file | concept |\n|---|---|\n" + "\n".join(_rows()))


def capacity_page() -> str:
    """The page of sandbox hosts: written by hand, but for what follows from the measurement beside it."""
    from harness_sandbox import capacity

    figures, told = capacity.load(HERE / "capacity.json"), capacity.Assumptions()
    sizes = f"{capacity.basis(figures, told)}\n\n{capacity.table(figures, told)}"
    return _filled("capacity.md", "<!-- capacity: written by make docs -->", "<!-- /capacity -->", sizes)


def _filled(page: str, mark: str, end_mark: str, text: str) -> str:
    """A page with this text between two marks."""
    before, begin, rest = (HERE / page).read_text(encoding="utf-8").partition(mark)
    _, end, after = rest.partition(end_mark)
    if not begin or not end:
        raise SystemExit(f"docs/{page} has lost its marks {mark} and {end_mark}")
    return f"{before}{begin}\n{text}\n{end}{after}"


BEGIN = "<!-- files: written by make docs -->"
END = "<!-- /files -->"


def _rows() -> Iterator[str]:
    """Each module of the core and each plugin, with the first sentence of its docstring."""
    root = HERE.parent
    core = [path for path in (root / "harness").iterdir() if path.name not in ("__init__.py", "__main__.py")]
    plugins = (path.parent for path in (root / "plugins").glob("*/__init__.py"))
    for path in [*sorted(core), *sorted(plugins)]:
        source = path / "__init__.py" if path.is_dir() else path
        if source.suffix != ".py" or not source.exists():
            continue
        doc = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
        sentence = re.split(r"(?<=\.)\s", " ".join(doc.partition("\n\n")[0].split()), maxsplit=1)[0]
        name = path.relative_to(root).as_posix() + ("/" if path.is_dir() else "")
        yield f"| `{name}` | {sentence.replace('|', chr(92) + '|')} |"


PAGES = {
    "hooks.md": hooks_page,
    "cli.md": cli_page,
    "architecture.md": architecture_page,
    "capacity.md": capacity_page,
}


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    stale = []
    for name in [argument for argument in arguments if argument in PAGES] or PAGES:
        path, text = HERE / name, PAGES[name]()
        if (path.read_text(encoding="utf-8") if path.exists() else "") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(f"{'stale' if check else 'written'}: {', '.join(stale)}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
