"""Rendering: the templates, and where they are found.

Templates live in `leaderboards/templates` of a checkout and in `harness/board/templates` of a wheel.
Everything is escaped, and values of secret environment variables are blotted out as they are in a ledger.
Pages of runs are single files without scripts; those of boards have one script of ours, which their policy
names by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness.contract.errors import DataError
from harness.recording.blotting import blot
from harness.support.figures import count, dollars, duration, percent, sources


def templates() -> Path:
    """The folder of the board's templates, from a wheel or from a checkout.

    Raises:
        DataError: neither has them, so the installation is damaged.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "templates", here.parent.parent / "leaderboards" / "templates"):
        if (folder / "base.html").is_file():
            return folder
    raise DataError(
        "the page templates are missing", where=str(here / "templates"), hint="install staged-harness again"
    )


def environment(*more: Path) -> jinja2.Environment:
    """A jinja environment over the board's templates and further folders, escaping everything."""
    import harness

    folders = [templates(), *more]
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader([str(f) for f in folders]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        pct=percent, count=count, duration=duration, flat=flat, dollars=dollars, sources=sources
    )
    # The style sheet and the script are ours and hold nothing from outside.
    env.globals["css"] = Markup(style())
    env.globals["script"] = Markup(script())
    env.globals["script_source"] = script_source()
    env.globals["version"] = harness.__version__
    return env


def style() -> str:
    """The style sheet of all pages."""
    return (templates() / "style.css").read_text(encoding="utf-8")


def script() -> str:
    """The script of boards' pages."""
    return (templates() / "board.js").read_text(encoding="utf-8")


def script_source() -> str:
    """How a content security policy names that script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()}'"


def write(path: Path, html: str) -> Path:
    """Write a page whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".new")
    scratch.write_text(blot(html), encoding="utf-8")
    scratch.replace(path)
    return path


def flat(value: Any) -> str:
    """A small nested value as one line of words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {flat(v)}" for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(flat(v) for v in value)
    return str(value)
