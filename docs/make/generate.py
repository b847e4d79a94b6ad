"""Writes the pages of docs/ that are made from the code: hooks, command line, recipe and public API, the
suites in conformance.md, the table of files in architecture.md and the sizes in capacity.md.

python docs/make/generate.py           write them
python docs/make/generate.py --check   exit 1 and name the pages that are stale
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What third parties installed here is no part of our documentation.
os.environ["HARNESS_PLUGINS"] = ""

import click
import curricula
import public_api

from harness.cli import group
from harness.contract import hookspecs
from harness.contract.kinds import KINDS, PROTOCOLS, Kind
from harness.plugging.loading import HOOKS, _Recorder

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent
ROOT = DOCS.parent
WIDTH = 100

HOOKS_INTRO = """\
# Hooks

Every hook, from `harness/contract/hookspecs.py`; this page is written by `make docs`. A plugin is a module
with functions that bear the names below and the mark `@harness.hookimpl`. It is found through an
entry point in group `harness`, or as `harness_plugin.py` beside a recipe. [The
tutorial](../tutorials/plugin.md) writes one in ten minutes. Each hook below has a complete plugin as example;
what plugins may import is on [another page](public-api.md).

Plugin API: **{api}**. A plugin may set `HARNESS_API = (2, 0)`: it needs this major version and at
least this minor one. An implementation may take any subset of a hook's arguments, so that arguments
can be added without breaking it.

What never happens in silence: a misspelt hook, a function that bears a hook's name without the mark,
an `async` or generator hook, a wrapper, and a capability that its kind does not have are refused with
their reason (`harness plugins list`). `harness plugins doctor` and `harness plan` hold objects against
their protocol: a missing or misspelt member, and a method that cannot be called as the protocol calls it.
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
without one) and a [`BuildContext`](../../harness/contract/protocols.py); what they return satisfies the
kind's protocol.
"""

EVENTS = """\
## Events: what happened

Broadcast to every plugin with read-only payloads. An implementation that raises is reported with its
plugin's name and recorded in the ledger; the others still run, and so does the run. The examples below
are one plugin, [`docs/examples/events.py`](../examples/events.py), that writes lines:
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
    parts += [_hook(row.hook) + _kind(row) + _example(row.name) for row in KINDS.values()]
    listeners = _functions(DOCS / "examples" / "events.py")
    parts += [EVENTS, f"```python\n{listeners['note']}\n```\n"]
    events = [name for name in names if not name.startswith("register_")]
    parts += [f"{_hook(name)}\n```python\n{listeners[name]}\n```\n" for name in events]
    return "\n".join(parts)


def _hook(name: str) -> str:
    function = getattr(hookspecs, name)
    signature = str(inspect.signature(function)).replace("'", "")
    return f"### {name}\n\n```python\ndef {name}{signature}\n```\n\n{inspect.cleandoc(function.__doc__)}\n"


def _kind(row: Kind) -> str:
    """What a registration of this kind may say, from its row."""
    lines = [""]
    if row.options:
        module, _, name = row.protocol.rpartition(":")
        where = f"{(module or PROTOCOLS).replace('.', '/')}.py"
        lines += [f"- Objects satisfy [`{name}`](../../{where}). Options are given in {row.options}."]
    if row.light:
        lines += [
            "- `plan` and `doctor` build it: its factory starts no process, loads no model and reads",
            "  no file but a small one that an option names.",
        ]
    lines.append(f"- Suite: `harness.testing.{row.suite}` ([conformance](../how-to/conformance.md)).")
    fields = row.capabilities_model().model_fields
    if fields:
        lines += ["", "| capability | default | meaning |", "|---|---|---|"]
        lines += [
            f"| `{name}` | `{_plain(info.default)}` | {_cell(info.description)} |"
            for name, info in fields.items()
        ]
    optional = row.optional_class()
    if optional is not None:
        lines += ["", "| optional member | default | meaning |", "|---|---|---|"]
        lines += [f"| `{name}` | {default} | {_cell(doc)} |" for name, default, doc in _optional(optional)]
    return "\n".join(lines) + "\n"


#: Kinds with a further example, which shows what the first one does not.
FURTHER = {"shapers": "process_reward"}


def _example(kind: str) -> str:
    """The kind's complete plugins, which a test runs."""
    written = []
    for name in (kind, FURTHER.get(kind)):
        path = DOCS / "examples" / f"{name}.py"
        if name is not None and path.exists():
            code = path.read_text(encoding="utf-8").rstrip()
            link = f"[`docs/examples/{path.name}`](../examples/{path.name})"
            written.append(f"\n{link}, run by a test:\n\n```python\n{code}\n```\n")
    return "".join(written)


def _functions(path: Path) -> dict[str, str]:
    """Source of a module's functions, with their decorators."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    functions = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
            functions[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return functions


def _plain(value: object) -> str:
    return str(list(value) if isinstance(value, tuple) else value)


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _optional(cls: type) -> Iterator[tuple[str, str, str]]:
    """Name or signature, default, and meaning of each optional member, those of its bases first."""
    for base in reversed(cls.__mro__[:-1]):
        source = inspect.getsource(base)
        for node in ast.parse(source).body[0].body:  # type: ignore[attr-defined]
            if isinstance(node, ast.FunctionDef):
                names = ", ".join(a.arg for a in node.args.args[1:])
                doc = (ast.get_docstring(node) or "").partition("\n\n")[0]
                yield f"{node.name}({names})", _returned(node), doc
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                yield node.target.id, f"`{ast.unparse(node.value)}`", _comment_above(source, node.lineno)


def _returned(function: ast.FunctionDef) -> str:
    last = function.body[-1]
    if isinstance(last, ast.Raise):
        return "an error"
    return f"`{ast.unparse(last.value)}`" if isinstance(last, ast.Return) and last.value else "`None`"


def _comment_above(source: str, line: int) -> str:
    """The `#:` lines right above a line, which counts from 1."""
    told: list[str] = []
    for text in reversed(source.splitlines()[: line - 1]):
        if not text.strip().startswith("#:"):
            break
        told.insert(0, text.strip().removeprefix("#:").strip())
    return " ".join(told)


def conformance_page() -> str:
    """The page of suites: written by hand, but for what each suite tries."""
    lines: list[str] = []
    for row in KINDS.values():
        lines += [f"### {row.name}: `{row.suite}`", ""]
        lines += [f"- {name.removeprefix('test_').replace('_', ' ')}" for name in _tests(row.suite)]
        lines.append("")
    return _filled(
        "how-to/conformance.md",
        "<!-- suites: written by make docs -->",
        "<!-- /suites -->",
        "\n".join(lines[:-1]),
    )


def _tests(suite: str) -> Iterator[str]:
    """Names of a suite's tests in the order of its parts, read from the source."""
    classes = {
        node.name: node
        for path in sorted((ROOT / "harness" / "testing").glob("*.py"))
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }

    def walk(name: str) -> Iterator[str]:
        node = classes.get(name)
        if node is None:
            return
        for base in node.bases:
            yield from walk(ast.unparse(base))
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and member.name.startswith("test_"):
                yield member.name

    yield from dict.fromkeys(walk(suite))


def cli_page() -> str:
    """The page of all verbs: each one's --help."""
    parts = ["# Command line\n\nThe `--help` of every verb; this page is written by `make docs`.\n"]
    with _own_plugins():
        for path, text in _helps(group, ["harness"]):
            parts.append(f"## {' '.join(path)}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def _helps(command: click.Command, path: list[str]) -> Iterator[tuple[list[str], str]]:
    context = click.Context(command, info_name=" ".join(path), terminal_width=WIDTH, max_content_width=WIDTH)
    with context:
        yield path, "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
        names = group.list_commands(context) if command is group else getattr(command, "commands", {})
        for name in names:
            child = command.get_command(context, name) if isinstance(command, click.Group) else None
            if child is not None and not child.hidden:
                yield from _helps(child, [*path, name])


def architecture_page() -> str:
    """The page of the architecture: written by hand, but for its table of files."""
    return _filled(
        "explanation/architecture.md", BEGIN, END, "| file | concept |\n|---|---|\n" + "\n".join(_rows())
    )


def capacity_page() -> str:
    """The page of sandbox hosts: written by hand, but for what follows from the measurement beside it."""
    from harness_sandbox_cli import capacity

    figures, told = capacity.load(HERE / "capacity.json"), capacity.Assumptions()
    sizes = f"{capacity.basis(figures, told)}\n\n{capacity.table(figures, told)}"
    return _filled(
        "how-to/capacity.md", "<!-- capacity: written by make docs -->", "<!-- /capacity -->", sizes
    )


def curricula_page() -> str:
    """The page of curricula: written by hand, but for the tables of rules and of the simulation."""
    page = "reference/curricula.md"
    text = (DOCS / page).read_text(encoding="utf-8")
    for name, made in (("curricula", curricula.rows()), ("ranking", curricula.ranking())):
        text = _between(
            page,
            text,
            f"<!-- {name}: written by make docs -->",
            f"<!-- /{name} -->",
            "\n".join(made).rstrip(),
        )
    return text


def recipe_page() -> str:
    """The page of all fields and options, with the plugins of this distribution alone."""
    import fields

    from harness.plugging.plugins import load

    with _own_plugins():
        return fields.page(load())


@contextmanager
def _own_plugins() -> Iterator[None]:
    """The plugins of this distribution, and no others that may be installed here."""
    from harness.plugging.plugins import installed_names

    os.environ["HARNESS_PLUGINS"] = ",".join(name for name in installed_names() if "/" not in name)
    try:
        yield
    finally:
        os.environ["HARNESS_PLUGINS"] = ""


def _filled(page: str, mark: str, end_mark: str, text: str) -> str:
    """A page with this text between two marks."""
    return _between(page, (DOCS / page).read_text(encoding="utf-8"), mark, end_mark, text)


def _between(page: str, whole: str, mark: str, end_mark: str, text: str) -> str:
    before, begin, rest = whole.partition(mark)
    _, end, after = rest.partition(end_mark)
    if not begin or not end:
        raise SystemExit(f"docs/{page} has lost its marks {mark} and {end_mark}")
    return f"{before}{begin}\n{text}\n{end}{after}"


BEGIN = "<!-- files: written by make docs -->"
END = "<!-- /files -->"


def _rows() -> Iterator[str]:
    """Each module of the core and each plugin, with the first sentence of its docstring."""
    core = [path for path in (ROOT / "harness").iterdir() if path.name not in ("__init__.py", "__main__.py")]
    plugins = (path.parent for path in (ROOT / "plugins").glob("*/__init__.py"))
    for path in [*sorted(core), *sorted(plugins)]:
        source = path / "__init__.py" if path.is_dir() else path
        if source.suffix != ".py" or not source.exists():
            continue
        doc = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
        sentence = re.split(r"(?<=\.)\s", " ".join(doc.partition("\n\n")[0].split()), maxsplit=1)[0]
        name = path.relative_to(ROOT).as_posix() + ("/" if path.is_dir() else "")
        yield f"| `{name}` | {sentence.replace('|', chr(92) + '|')} |"


PAGES = {
    "reference/hooks.md": hooks_page,
    "reference/cli.md": cli_page,
    "reference/recipe.md": recipe_page,
    "how-to/conformance.md": conformance_page,
    "reference/public-api.md": lambda: public_api.page(hookspecs.API),
    "explanation/architecture.md": architecture_page,
    "how-to/capacity.md": capacity_page,
    "reference/curricula.md": curricula_page,
}


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    stale = []
    for name in [argument for argument in arguments if argument in PAGES] or PAGES:
        path, text = DOCS / name, PAGES[name]()
        if (path.read_text(encoding="utf-8") if path.exists() else "") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(f"{'stale' if check else 'written'}: {', '.join(stale)}")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
