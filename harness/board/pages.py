"""Rendering: the templates, where they are found, and how numbers are written.

Templates live in `leaderboards/templates` of a checkout and in `harness/board/templates` of a wheel.
Everything is escaped, pages are single files without scripts, and values of secret environment
variables are blotted out as they are in a ledger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness.blotting import blot
from harness.errors import DataError


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
    env.filters.update(pct=pct, count=count, duration=duration, flat=flat)
    # The style sheet is ours and holds nothing from outside.
    env.globals["css"] = Markup((templates() / "style.css").read_text(encoding="utf-8"))
    env.globals["version"] = harness.__version__
    return env


def write(path: Path, html: str) -> Path:
    """Write a page whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".new")
    scratch.write_text(blot(html), encoding="utf-8")
    scratch.replace(path)
    return path


def pct(rate: float | None) -> str:
    """A rate as percent with one decimal: 80.7 %; a dash for what was not measured."""
    return "–" if rate is None or rate != rate else f"{100 * rate:.1f}\u2009%"


def count(number: float) -> str:
    """A count with separators, 40,960; from a million on three digits with a unit, 6.64 M."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= size:
            return f"{number / size:#.3g}".rstrip(".") + f"\u2009{unit}"
    return f"{number:,.0f}"


def duration(seconds: float) -> str:
    """Seconds as a person says them: 42 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 10:
        return f"{seconds:.1f}\u2009s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole}\u2009s"
    if whole < 7200:
        minutes, rest = divmod(whole, 60)
        return f"{minutes}\u2009min" + (f" {rest}\u2009s" if rest else "")
    hours, minutes = divmod(round(whole / 60), 60)
    return f"{hours}\u2009h" + (f" {minutes}\u2009min" if minutes else "")


def flat(value: Any) -> str:
    """A small nested value as one line of words."""
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {flat(v)}" for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(flat(v) for v in value)
    return str(value)
